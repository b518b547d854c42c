"""The server on Ray Serve, started on this machine: the same answers, and none lost with a replica."""

import contextlib
import importlib.util
import json
import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from pydantic import ValidationError

from flows.ray_serving import MODELS, NAME, RaySettings, build, running
from polyloom.errors import RequestError
from tests.support.small_bundle import SHOP, release_small_bundle

# Ray's own code is older than what warns of it.
pytestmark = [pytest.mark.filterwarnings(f"ignore::{kind}") for kind in ("DeprecationWarning", "FutureWarning")]
CALLERS = 8
# 127.0.0.1, ::1 and the first as the second writes it, in the tables of Linux.
LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
TITLES = [row[1] for row in SHOP]


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def post(url, asked):
    sent = urllib.request.Request(url, json.dumps(asked).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(sent, timeout=60) as answer:
        return json.loads(answer.read())


def replicas():
    """Processes of this test's own Ray that hold models."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            named = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if named.startswith(f"ray::ServeReplica:{NAME}:{MODELS}") and is_ours(int(folder.name)):
            found.append(int(folder.name))
    return sorted(found)


def is_ours(process):
    while process > 1:
        if process == os.getpid():
            return True
        told = Path(f"/proc/{process}/status").read_text()
        process = int(told.partition("PPid:")[2].split()[0])
    return False


def listening_elsewhere():
    """Ports beyond loopback on which this process or its children listen, and whose they are, as Linux tells it."""
    ours = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if is_ours(int(folder.name)):
                named = (folder / "cmdline").read_bytes().decode(errors="replace")
                ours |= {os.readlink(one): named for one in (folder / "fd").iterdir()}  # noqa: PTH115  (socket:[123])
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            address, _, port = local.partition(":")
            if state == "0A" and f"socket:[{inode}]" in ours and address not in LOOPBACK:
                found.append((int(port, 16), ours[f"socket:[{inode}]"]))
    return found


def asked_without_token(port):
    """What a port between replicas says to somebody who has no token."""
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/ray.serve.ASGIService/HandleRequest")
        with pytest.raises(grpc.RpcError) as refused:
            call(b"", timeout=20)
        return refused.value.code().name


def until(true, seconds, what):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.2)


class Load:
    """Callers that ask again and again, and remember what came back."""

    def __init__(self, url):
        self.url = url
        self.answers = []
        self.failed = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(number,)) for number in range(CALLERS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _call(self, number):
        while not self._stop.is_set():
            number = (number + 1) % len(TITLES)
            try:
                self.answers.append((number, post(self.url, {"rows": [{"title": TITLES[number]}]})))
            except (OSError, ValueError) as error:
                self.failed.append(repr(error) + (error.read().decode() if hasattr(error, "read") else ""))


def same(one, other):
    """Answers but for what names the request."""
    if isinstance(one, dict):
        ids = {"request_id", "prediction", "prediction_id", "id"}
        assert one.keys() == other.keys()
        return all(same(one[key], other[key]) for key in one.keys() - ids)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == pytest.approx(other, abs=1e-5) if isinstance(one, float) else one == other


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_replicas_answer_as_one_process_and_one_that_is_killed_costs_no_request(polyloom_home, tmp_path):
    if importlib.util.find_spec("ray") is None:
        pytest.skip("the extra polyloom[ray] is not installed")
    release_small_bundle(polyloom_home)
    alone = answers_of_one_process()
    settings = RaySettings(
        home=polyloom_home,
        open=True,
        min_replicas=2,
        max_replicas=3,
        cpus_per_replica=0.3,
        requests_per_replica=0.5,
        more_after_seconds=4,
        fewer_after_seconds=2,
        log_file=tmp_path / "server.log",
    )
    begun = time.monotonic()
    with running(settings, port=free_port(), cpus=2) as url:
        print(f"started in {time.monotonic() - begun:.1f} s")
        for port, process in listening_elsewhere():
            assert process.startswith(f"ray::ServeReplica:{NAME}:")
            assert asked_without_token(port) == "UNAUTHENTICATED"
        until(lambda: len(replicas()) == 2, 60, "two replicas start")
        ask = f"{url}/v1/shop/predict"
        with Load(ask) as load:
            until(lambda: len(load.answers) > 50, 60, "the load is on")
            killed = replicas()[0]
            os.kill(killed, signal.SIGKILL)
            at = len(load.answers)
            until(lambda: len(load.answers) > at + 100, 60, "answers go on")
            until(lambda: len(set(replicas()) - {killed}) == 3, 120, "more replicas under load")
        until(lambda: len(replicas()) == 2, 120, "fewer replicas afterwards")
        told = post(ask, {"rows": [{"title": TITLES[0]}]})
    logged = [json.loads(line) for line in (tmp_path / "server.log").read_text().splitlines()]
    again = sum(one["event"] == "server_lost" for one in logged)
    print(f"{len(load.answers)} answers, {again} of them asked for again")
    assert load.failed == []
    assert {one["status"] for one in logged if one["event"] == "handled"} == {200}
    assert all(same(answer, alone[number]) for number, answer in load.answers)
    assert same(told, alone[0])


def answers_of_one_process():
    import asyncio

    from flows.serving import Options, open_service
    from releases.serving.app import create_app
    from releases.serving.buffered import Asked, answer_of

    service = open_service(Options(is_open=True))
    app = create_app(service)
    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]

    async def answers():
        found = []
        for title in TITLES:
            body = json.dumps({"rows": [{"title": title}]}).encode()
            asked = Asked("POST", "/v1/shop/predict", b"", headers, ("127.0.0.1", 1), "http", body)
            answer = await answer_of(app, asked)
            assert answer.status == 200, answer.body
            found.append(json.loads(answer.body))
        return found

    try:
        return asyncio.run(answers())
    finally:
        service.close()


def test_settings_are_checked():
    with pytest.raises(ValidationError, match="replicas"):
        RaySettings(replicas=2)
    with pytest.raises(ValidationError, match="greater than 0"):
        RaySettings(cpus_per_replica=0)


def test_without_the_extra_the_error_names_it(monkeypatch):
    import sys

    # What Python does for a package that is not installed.
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RequestError, match=r"needs the package ray\[serve\]\. Install polyloom\[ray\]"):
        build(RaySettings())
