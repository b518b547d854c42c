"""The generator of load against servers whose delays and answers are known."""

import asyncio
import contextlib
import json
import socket
import threading

import pytest
import uvicorn

from benchmarks.serving_http import post
from benchmarks.serving_load import ClosedLoop, OpenLoop, drive

DIGEST = "0123456789abcdef" * 4


class App:
    """Answers as the request's body says: `wait` seconds, `status`, `headers`; counts what it sees."""

    def __init__(self):
        self.bodies, self.now, self.most = [], 0, 0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        asked = json.loads((await receive())["body"])
        self.bodies.append(asked)
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(asked.get("wait", 0))
        self.now -= 1
        content = json.dumps({"release": {"digest": DIGEST}}).encode()
        headers = {"content-length": str(len(content)), **asked.get("headers", {})}
        raw = [(name.encode(), value.encode()) for name, value in headers.items() if value]
        await send({"type": "http.response.start", "status": asked.get("status", 200), "headers": raw})
        await send({"type": "http.response.body", "body": content})


@contextlib.contextmanager
def served(app):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def closed(port, *bodies, **more):
    requests = [post("/", body) for body in bodies]
    return drive(ClosedLoop(**{"port": port, "requests": requests, "seconds": 1.0, "callers": 2, **more}))


def test_callers_send_their_next_request_when_the_last_is_answered():
    app = App()
    with served(app) as port:
        found = closed(port, *({"wait": 0.1, "number": number} for number in range(1000)), callers=4, seconds=2.0)
    assert app.most == 4
    assert found.counts == {200: len(app.bodies)}
    # Four callers of a tenth of a second each: 40 a second, less what the machine takes.
    assert 15 < found.per_second <= 42
    assert 99 < found.milliseconds(0.0) < found.milliseconds(1.0)
    assert [body["number"] for body in app.bodies] == list(range(len(app.bodies)))


def test_in_an_open_loop_what_waits_behind_a_slow_answer_counts_as_slow():
    app = App()
    with served(app) as port:
        requests = [post("/", {"wait": 1.0}), *([post("/", {})] * 10_000)]
        found = drive(OpenLoop(port=port, requests=requests, seconds=1.0, rate=40.0, connections=1, waiting=99))
    own = found.ended - found.sent
    assert app.most == 1
    assert sum(own > 0.5) == 1
    assert sum(found.ended - found.due > 0.2) > 10


def test_an_open_loop_sends_at_its_rate_whatever_the_answers():
    app = App()
    with served(app) as port:
        found = drive(OpenLoop(port=port, requests=[post("/", {"wait": 0.3})], seconds=2.0, rate=50.0))
    # Poisson: 100 with a deviation of 10.
    assert 50 < len(found.status) <= 150
    assert found.unsent == 0
    assert app.most > 4


def test_what_no_connection_is_free_for_is_told():
    app = App()
    with served(app) as port:
        requests = [post("/", {"wait": 0.5})]
        found = drive(OpenLoop(port=port, requests=requests, seconds=1.0, rate=100.0, connections=3, waiting=3))
    assert app.most == 3
    assert found.unsent > 50
    # Those in flight, and as many more that waited.
    assert len(found.status) < 20


def test_statuses_waits_and_releases_are_told():
    busy = {"status": 429, "headers": {"retry-after": "1"}}
    with served(App()) as port:
        found = closed(port, {}, busy, {"status": 429}, {"status": 503}, callers=1)
    assert set(found.counts) == {200, 429, 503}
    assert found.releases == {DIGEST: found.counts[200]}
    assert found.busy_without_wait == pytest.approx(found.counts[429] / 2, abs=1)
    assert found.failures == {"status 503": found.counts[503]}


def test_a_connection_that_the_server_closes_is_opened_again():
    with served(App()) as port:
        found = closed(port, {"headers": {"connection": "close"}})
    assert set(found.counts) == {200}
    assert len(found.status) > 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", "closed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", "closed"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "malformed"),
    ],
)
def test_what_is_no_answer_is_a_failure_of_its_kind(answer, kind):
    with raw_server(answer) as port:
        assert set(closed(port, {}, seconds=0.3).failures) == {kind}


def test_an_answer_in_pieces_is_one():
    with raw_server(b"HTTP/1.1 200 OK\r\nConnection: close\r\n", b"Content-Length: 4\r", b"\n\r\nab", b"cd") as port:
        assert closed(port, {}, seconds=0.3).failures == {}


def test_a_server_that_is_not_there_refuses():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert set(closed(port, {}, seconds=0.3).failures) == {"refused"}


def test_a_late_answer_is_none():
    with served(App()) as port:
        found = closed(port, {"wait": 0.5}, seconds=0.2, timeout_seconds=0.1)
    assert set(found.failures) == {"timeout"}


@contextlib.contextmanager
def raw_server(*pieces):
    """Sends these pieces after any request, and hangs up."""

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    connection.recv(65536)
                    for piece in pieces:
                        connection.sendall(piece)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
