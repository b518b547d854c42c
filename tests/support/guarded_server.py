"""A real uvicorn in a thread, whose connections are guarded, and clients that speak bytes to it."""

import asyncio
import contextlib
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import uvicorn

from releases.serving.client_limits import ClientLimits

HELLO = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
WAIT_SECONDS = 10


@dataclass
class Served:
    """Where it listens, and what was heard of clients that were cut off."""

    port: int
    cut_off: Counter = field(default_factory=Counter)
    heads: list = field(default_factory=list)
    bodies: list = field(default_factory=list)
    state: object = None

    def connect(self, *, receive_bytes=None):
        """A client that has sent nothing yet."""
        client = socket.socket()
        if receive_bytes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        client.settimeout(WAIT_SECONDS)
        client.connect(("127.0.0.1", self.port))
        return client

    def honest(self):
        """Ask like anybody; the answer and the seconds it took."""
        began = time.monotonic()
        with self.connect() as client:
            client.sendall(HELLO)
            answer = whole(client)
        return answer, time.monotonic() - began

    def open_connections(self):
        """How many the server has."""
        return len(self.state.connections)


async def application(served, scope, receive, send):
    """`/` says hello, `/large` 20 MB, `/slow` hello after half a second, `/early` before it has read the body."""
    path = scope["path"]
    body = bytearray()
    more = path != "/early"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        more = message["more_body"]
    served.heads.append(scope["headers"])
    served.bodies.append(bytes(body))
    if path == "/slow":
        await asyncio.sleep(0.5)
    content = b"x" * 20_000_000 if path == "/large" else b"hello"
    headers = [(b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


@contextlib.contextmanager
def guarded_server(make_protocol, limits: ClientLimits, *, keep_alive=5, loop="asyncio", tls=None):
    """Serve on a free port until the block ends; `tls` is the paths of a certificate and its key."""
    served = Served(port=0)
    certificate, key = tls or (None, None)

    def hear(reason):
        served.cut_off[reason] += 1

    async def app(scope, receive, send):
        await application(served, scope, receive, send)

    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        http=make_protocol(limits, hear),
        ws="none",
        lifespan="off",
        loop=loop,
        log_level="critical",
        timeout_keep_alive=keep_alive,
        timeout_graceful_shutdown=5,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        served.port = server.servers[0].sockets[0].getsockname()[1]
        served.state = server.server_state
        yield served
    finally:
        server.should_exit = True
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()


def until(condition, seconds=WAIT_SECONDS):
    """Wait for something, not longer than `seconds`."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.01)


def rest(client):
    """Everything until the server closes, and how it did: `closed` or `reset`."""
    received = bytearray()
    try:
        while piece := client.recv(65536):
            received += piece
    except ConnectionResetError:
        return bytes(received), "reset"
    return bytes(received), "closed"


def whole(client, answers=1):
    """What came until that many answers end in hello, or until the server closes."""
    received = b""
    while received.count(b"hello") < answers and (piece := client.recv(65536)):
        received += piece
    return received
