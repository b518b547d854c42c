"""Releases in an environment that has only what they ask for: as pyfunc, without code, and through the client."""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from polyloom.home import home
from releases.asked_rows import Request, answer_rows
from releases.registry import Registry
from releases.runtime import Runtime
from tests.flows.test_uses import write_shop
from tests.support.mlflow_store import copy_store, template
from tests.support.registry_server import RegistryServer
from tests.support.stage_runs import job_for, packaged
from tests.support.toys import write_toys

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
CONSUMER = ROOT / "tests" / "support" / "consumer.py"
LOST = "where is my lost card ?"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two trained releases in a registry with a server: `wishes` (texts, search, answers) and `toys` (everything)."""
    folder = tmp_path_factory.mktemp("consumed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLYLOOM_HOME", str(folder / "home"))
        home().mkdir()
        store = copy_store(template(tmp_path_factory), home() / "mlflow.db")
        registry = Registry(store, home() / "ledger")
        for name, path in {"wishes": write_shop(folder), "toys": write_toys(folder / "toys", epochs=2)}.items():
            bundle = packaged(job_for(path))
            version = registry.register(name, bundle, bundle.name, None, {})
            registry.promote(name, version, expected=None, who="test", why="first")
        server = RegistryServer(folder, store=store).start()
        yield registry, server, folder
        server.kill()


@pytest.fixture(scope="module")
def clean(made, tmp_path_factory):
    """Runs the consumer in a fresh environment with the requirements of both releases and nothing else."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed, so no clean environment can be made")
    registry, _, _ = made
    folder = tmp_path_factory.mktemp("clean")
    lists = [
        argument
        for name in ("wishes", "toys")
        for argument in ("-r", str(model_of(registry, name) / "requirements.txt"))
    ]
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, folder / "venv"], check=True, env=outside)
    python = folder / "venv" / "bin" / "python"
    got = subprocess.run(
        [uv, "pip", "install", "-q", "--python", python, *lists],
        check=False,
        capture_output=True,
        text=True,
        env=outside,
    )
    if got.returncode:
        pytest.skip(f"no package registry can be reached: {got.stderr[-300:]}")

    def run(way, asked):
        quiet = {**outside, "MLFLOW_TRACKING_URI": asked.get("registry", ""), "MLFLOW_DISABLE_TELEMETRY": "true"}
        done = subprocess.run(
            [python, CONSUMER, way],
            check=False,
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            env=quiet,
            cwd=folder,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        answer = json.loads(done.stdout.splitlines()[-1])
        assert answer["forbidden"] == []
        return answer["result"]

    run.python = python
    return run


def model_of(registry, name):
    version = registry.client.get_model_version_by_alias(name, "champion")
    return Path(version.source.removeprefix("file://"))


def toy_rows(folder):
    """Rows with everything, with a picture alone, with words alone."""
    picture = "b64:" + base64.b64encode((folder / "toys" / "pictures" / "5.png").read_bytes()).decode()
    full = {"picture": picture, "title": "a blue train number 5", "price": 25.0, "material": "tin"}
    return [full, {**full, "picture": None, "price": None}, {**full, "title": "a red kite", "material": None}]


def decoded(rows):
    return [
        {key: base64.b64decode(value[4:]) if str(value).startswith("b64:") else value for key, value in row.items()}
        for row in rows
    ]


def expected(registry, name, calls):
    """What the training side answers."""
    runtime = Runtime.open(registry.resolve(name).path)
    return {
        call["params"]["do"]: answer_rows(runtime, decoded(call["rows"]), Request(**call["params"])) for call in calls
    }


def assert_near(found, wanted, *, within=1e-4):
    """The same JSON, numbers within a tolerance."""
    assert type(found) is type(wanted) or isinstance(found, int | float), (found, wanted)
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key in wanted:
            assert_near(found[key], wanted[key], within=within)
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_near(one, other, within=within)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, abs=within)
    else:
        assert found == wanted


def calls_of(name, folder):
    if name == "toys":
        rows = toy_rows(folder)
        picture = [{"picture": rows[0]["picture"]}, {"title": "green robot"}]
        return [
            {"params": {"do": "predict", "top": 3}, "rows": rows},
            {"params": {"do": "search", "k": 4, "where": "price < 26"}, "rows": picture},
        ]
    questions = [{"question": LOST}, {"question": "退款 吗 ?"}]
    return [
        {"params": {"do": "predict"}, "rows": [{"text": LOST}, {"text": "the red shoe"}]},
        {"params": {"do": "search", "k": 3}, "rows": questions},
        {"params": {"do": "ask"}, "rows": questions},
        {"params": {"do": "recommend", "k": 3}, "rows": [{"history": ["w0", "w3"]}]},
    ]


@pytest.mark.parametrize("name", ["wishes", "toys"])
def test_the_registry_address_answers_in_a_clean_environment_as_training_did(made, clean, name):
    registry, server, folder = made
    calls = calls_of(name, folder)
    found = clean("pyfunc", {"registry": server.uri, "uri": f"models:/{name}@champion", "calls": calls})
    wanted = expected(registry, name, calls)
    assert_near({do: found[do] for do in wanted}, wanted)
    assert found["example"]["answers"]


@pytest.mark.parametrize("name", ["wishes", "toys"])
def test_the_client_answers_without_mlflow_and_without_code_of_the_model(made, clean, name, tmp_path):
    registry, server, folder = made
    calls = calls_of(name, folder)
    asked = {"registry": server.uri, "scenario": name, "cache": str(tmp_path), "calls": calls, "code": str(ROOT)}
    found = clean("client", {**asked, "model": str(model_of(registry, name))})
    assert found.pop("stale") is False
    assert_near(found, expected(registry, name, calls))


def test_the_form_without_code_answers_by_onnx_and_json_alone(made, clean):
    registry, _, folder = made
    rows = toy_rows(folder)
    asked = {"model": str(model_of(registry, "toys")), "rows": rows, "reader": str(ROOT / "docs" / "examples")}
    found = clean("plain", asked)
    runtime = Runtime.open(registry.resolve("toys").path)
    wanted = [
        {task: answer.probabilities for task, answer in one.answers.items()}
        for one in runtime.predict(decoded(rows), top=99)
    ]
    assert_near(found, wanted)


def test_a_served_model_answers_over_http(made, clean, tmp_path):
    registry, server, folder = made
    port = RegistryServer(tmp_path, store="").port
    quiet = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    quiet |= {"MLFLOW_TRACKING_URI": server.uri, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    command = [
        clean.python,
        "-m",
        "mlflow",
        "models",
        "serve",
        "-m",
        "models:/toys@champion",
        "-p",
        str(port),
        "--env-manager",
        "local",
        "--host",
        "127.0.0.1",
    ]
    quiet["PATH"] = f"{clean.python.parent}{os.pathsep}{quiet['PATH']}"
    with (tmp_path / "log").open("wb") as log:
        serving = subprocess.Popen(command, stdout=log, stderr=log, env=quiet, cwd=tmp_path, start_new_session=True)
    try:
        row = {name: str(value).removeprefix("b64:") for name, value in toy_rows(folder)[0].items()} | {"price": 25.0}
        answer = posted(f"http://127.0.0.1:{port}/invocations", {"dataframe_records": [row]}, serving, tmp_path / "log")
    finally:
        os.killpg(serving.pid, 9)
        serving.wait()
    (found,) = answer["predictions"]
    (wanted,) = expected(registry, "toys", [{"params": {"do": "predict"}, "rows": toy_rows(folder)[:1]}])["predict"]
    assert_near(json.loads(found["answer"]), wanted)
    assert found["colour"] == wanted["answers"]["colour"]["label"]
    assert np.isclose(found["colour_probability"], wanted["answers"]["colour"]["probability"])


def posted(address, value, process, log, seconds=300):
    """The answer of a server that may still be starting."""
    end = time.monotonic() + seconds
    request = urllib.request.Request(address, json.dumps(value).encode(), {"Content-Type": "application/json"})
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read()) from error
        except OSError:
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < end, log.read_text()[-3000:]
            time.sleep(0.5)
