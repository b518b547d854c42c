"""`polyloom serve` as a user starts it: a process of its own."""

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from flows.cli import main
from polyloom.home import home
from releases.serving.priority import STEPS
from releases.serving.tokens import TokenStore
from tests.support.certificate import make_certificate
from tests.support.small_bundle import release_small_bundle

ASK = {"text": "Where is my parcel?"}
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def team(tmp_path, monkeypatch):
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path / "home"))
    for name in ("shop", "support"):
        release_small_bundle(home(), name=name)


@contextmanager
def serving(*options):
    """A server's process, and what it says once it is ready."""
    command = [sys.executable, "-m", "flows.cli", "serve", "--port", "0", "--json", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ}
    ) as process:
        try:
            said = "".join(iter(process.stdout.readline, "}\n")) + "}"
            yield process, json.loads(said)
        finally:
            process.kill()


def refused(*options):
    found = CliRunner().invoke(main, ["serve", *options])
    return found.exit_code, " ".join(found.output.split())


def test_it_says_where_it_is_and_ends_when_it_is_told():
    with serving() as (process, told):
        assert set(told["scenarios"]) == {"shop", "support"}
        assert told["open"] is True
        # Not what this test's own process has, which may be more.
        assert 50 << 20 < told["memory_bytes"] < 2 << 30
        with httpx.Client(base_url=told["url"]) as client:
            assert client.post("/v1/support/predict", json=ASK).status_code == 200
        maps = Path(f"/proc/{process.pid}/maps").read_text()
        assert "libtorch" not in maps
        # What computes lets the loop go first.
        own, behind = os.getpriority(os.PRIO_PROCESS, process.pid), 0
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            with suppress(ProcessLookupError):
                behind += os.getpriority(os.PRIO_PROCESS, int(task.name)) == min(own + STEPS, 19)
        assert behind >= 2 * len(told["scenarios"])
        process.send_signal(signal.SIGTERM)
        rest, log = process.communicate(timeout=30)
        assert (process.returncode, rest) == (0, "")
        assert "Traceback" not in log
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        assert any(line["event"] == "handled" and line["route"] == "/v1/{scenario}/predict" for line in lines)


def test_a_request_that_is_under_way_is_answered_before_the_end():
    with serving("support") as (process, told), httpx.Client(base_url=told["url"], timeout=30) as client:
        rows = [{"text": f"parcel {number} " * 300} for number in range(60)]
        ending = subprocess.Popen(["/bin/sh", "-c", f"sleep 0.05; kill -TERM {process.pid}"])
        found = client.post("/v1/support/predict", json={"rows": rows})
        ending.wait()
        assert found.status_code == 200
        process.communicate(timeout=30)
        assert process.returncode == 0


def test_an_open_server_stays_on_this_machine():
    for host in ("0.0.0.0", "::"):
        code, said = refused("support", "--host", host)
        assert code == 2
        assert "polyloom tokens create NAME" in said
    TokenStore(home() / "serving" / "tokens.json").create("one", scopes=["predict"])
    code, said = refused("support", "--host", "0.0.0.0", "--open")
    assert code == 2
    assert "Without access tokens" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("nothing",), "nothing@champion cannot be served"),
        (("support@nobody",), "support@nobody cannot be served"),
        (("support", "--tls-key", "key.pem"), "--tls-key is given without --tls-cert"),
        (("support", "--tls-cert", "missing.pem"), "no certificate with its key can be read"),
        (("support", "--keep-days", "0"), "keep predictions for at least 1 day"),
        (("support", "--under-way", "0"), "--under-way"),
        (("support", "--port", "99999"), "cannot be listened on"),
    ],
)
def test_what_cannot_be_served_is_told(options, said):
    code, output = refused(*options)
    assert code == 2, output
    assert said in output


def test_without_any_champion_the_next_step_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path / "empty"))
    code, said = refused()
    assert code == 2
    assert "No scenario has a champion" in said
    assert "polyloom run SCENARIO" in said


def test_a_port_that_is_taken_is_told():
    with serving("support") as (_, told):
        port = told["url"].rpartition(":")[2]
        code, said = refused("support", "--port", port)
        assert code == 2
        assert "Take another port" in said


def test_https(tmp_path):
    certificate, key = make_certificate(tmp_path)
    with serving("support", "--tls-cert", str(certificate), "--tls-key", str(key)) as (_, told):
        assert told["url"].startswith("https://")
        trusting = ssl.create_default_context(cafile=str(certificate))
        with httpx.Client(base_url=told["url"], verify=trusting) as client:
            assert client.post("/v1/support/predict", json=ASK).status_code == 200
        with pytest.raises(httpx.ConnectError), httpx.Client(base_url=told["url"]) as client:
            client.get("/health")
        old = ssl.create_default_context(cafile=str(certificate))
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with httpx.Client(base_url=told["url"], verify=old) as client:
            assert client.get("/health").status_code == 200


def test_a_killed_server_starts_again_and_what_it_kept_is_there():
    with serving("support") as (process, told), httpx.Client(base_url=told["url"]) as client:
        kept = client.post("/v1/support/predict", json=ASK).json()["prediction"]
        time.sleep(1.5)
        process.kill()
        process.wait()
    with serving("support") as (_, told), httpx.Client(base_url=told["url"]) as client:
        assert client.post("/v1/support/predict", json=ASK).status_code == 200
    found = CliRunner().invoke(main, ["replay", kept, "--json"])
    assert found.exit_code == 0, found.output
