"""The little HTTP/1.1 that a generator of load needs: requests made beforehand as bytes, answers cut by their length.

A client library would take more of the processor that generator and server share than the server's own work.
"""

import asyncio
import json
import re
from dataclasses import dataclass

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)")
HEAD_END = b"\r\n\r\n"
HOST = "127.0.0.1"


class NoAnswer(Exception):  # noqa: N818  (what happened, not whose error it is)
    """A request without an answer; `kind` is `refused`, `closed`, `timeout` or `malformed`."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `head` in small letters."""

    status: int
    head: bytes
    body: bytes


def post(path: str, body: object, *, headers: tuple[str, ...] = ()) -> bytes:
    """A whole request with a JSON body, ready to be sent."""
    content = json.dumps(body, ensure_ascii=False).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {HOST}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + HEAD_END + content


class Line:
    """One caller's connection, kept alive, and opened again where the server closed it."""

    def __init__(self, port: int, *, timeout_seconds: float) -> None:
        self.port = port
        self.timeout_seconds = timeout_seconds
        self._connection: Connection | None = None

    async def ask(self, request: bytes) -> Reply:
        """Send a request and wait for its answer. Raises: NoAnswer."""
        if self._connection is None or self._connection.is_closed:
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(self.timeout_seconds):
                    _, self._connection = await loop.create_connection(Connection, HOST, self.port)
            except TimeoutError:
                raise NoAnswer("timeout") from None
            except OSError:
                raise NoAnswer("refused") from None
        return await self._connection.ask(request, timeout_seconds=self.timeout_seconds)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()


class Connection(asyncio.Protocol):
    """One request at a time over one socket."""

    def __init__(self) -> None:
        self.is_closed = False
        self._received = bytearray()
        self._expected: int | None = None
        self._answer: asyncio.Future[Reply] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def ask(self, request: bytes, *, timeout_seconds: float) -> asyncio.Future[Reply]:
        """What will be answered; NoAnswer is set where nothing is."""
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        self._timer = loop.call_later(timeout_seconds, self._give_up, "timeout")
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        """A part of an answer, the last one settles it."""
        self._received += data
        if self._expected is None:
            end = self._received.find(HEAD_END)
            if end < 0:
                return
            length = LENGTH.search(bytes(self._received[: end + 2]).lower())
            if length is None:
                self._give_up("malformed")
                return
            self._body, self._expected = end + len(HEAD_END), end + len(HEAD_END) + int(length[1])
        if len(self._received) >= self._expected:
            self._settle()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (whatever the reason, it is gone)
        """Nothing more will come."""
        self._give_up("closed")

    def close(self) -> None:
        """Hang up."""
        self.is_closed = True
        self._transport.close()

    def _settle(self) -> None:
        head, body = bytes(self._received[: self._body]).lower(), bytes(self._received[self._body : self._expected])
        self._received.clear()
        self._expected = None
        if b"\r\nconnection: close" in head:
            self.close()
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            self._timer.cancel()
            answer.set_result(Reply(int(head[9:12]), head, body))

    def _give_up(self, kind: str) -> None:
        self.close()
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            self._timer.cancel()
            answer.set_exception(NoAnswer(kind))
