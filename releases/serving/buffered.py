"""A request and its answer as plain values, so that an application can be asked from another process."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class Asked(NamedTuple):
    """A whole request; `client` is the address it came from."""

    method: str
    path: str
    query: bytes
    headers: Headers
    client: tuple[str, int] | None
    scheme: str
    body: bytes


class Answered(NamedTuple):
    """A whole answer."""

    status: int
    headers: Headers
    body: bytes


async def answer_of(app: App, asked: Asked) -> Answered:
    """What an ASGI application says to a request."""
    parts: list[bytes] = []
    start: Message = {"status": 500, "headers": []}
    left = [asked.body]

    async def receive() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        # A caller who has gone cancels the call; there is nothing else to hear of.
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app(scope_of(asked), receive, send)
    return Answered(start["status"], [(bytes(name), bytes(value)) for name, value in start["headers"]], b"".join(parts))


def scope_of(asked: Asked) -> dict[str, Any]:
    """As ASGI 3 has it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "root_path": "",
        "method": asked.method,
        "path": asked.path,
        "raw_path": asked.path.encode(),
        "query_string": asked.query,
        "headers": asked.headers,
        "client": asked.client,
        "server": None,
        "scheme": asked.scheme,
        "state": {},
    }


async def asked_of(scope: MutableMapping[str, Any], receive: Receive) -> Asked:
    """A request read to its end; whoever calls it has made sure that there is one."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = [(bytes(name), bytes(value)) for name, value in scope["headers"]]
    client = tuple(scope["client"]) if scope.get("client") else None
    return Asked(
        scope["method"], scope["path"], scope["query_string"], headers, client, scope.get("scheme", "http"), bytes(body)
    )
