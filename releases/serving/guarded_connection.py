"""One connection whose client is watched: what uvicorn's two protocols have in common here."""

import asyncio
import json
from typing import TYPE_CHECKING, Any, ClassVar

from releases.serving.client_limits import ClientLimits
from releases.serving.deadline import Deadline
from releases.serving.refusal import PROBLEM, Refused

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as UvicornProtocol
else:
    UvicornProtocol = asyncio.Protocol

RETRY_SECONDS = 1.0


class GuardedConnection(UvicornProtocol):
    """Stands before one of uvicorn's protocols, which does the parsing in `parse`, and sets deadlines to the client.

    `unparsed` counts the bytes since the parser last had something whole: a request's head, or a piece of its body.
    """

    limits: ClassVar[ClientLimits]

    def cut_off(self, reason: str) -> None:
        """Hear that the client is turned away or cut off."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Wait for the first request, unless there are too many who do."""
        self.unparsed = 0
        self.is_turned_away = False
        self.since = self.loop.time()
        self.head_deadline, self.read_deadline = Deadline(self.loop), Deadline(self.loop)
        super().connection_made(transport)
        self.head_deadline.set(self.limits.head_seconds, self.head_is_too_slow)
        if len(self.connections) > self.limits.connections:
            self.make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is due any more."""
        self.head_deadline.clear()
        self.read_deadline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, in pieces so small that no head outgrows its limit by more than one of them."""
        step = self.limits.head_bytes
        for start in range(0, len(data), step):
            # What follows a refusal is thrown away: closing at once would take the answer from the client too.
            if self.is_turned_away or self.transport.is_closing():
                return
            piece = data if len(data) <= step else data[start : start + step]
            self.unparsed += len(piece)
            self.parse(piece)
            if self.unparsed > step:
                self.turn_away(431, "long_headers", f"The headers of a request may have {step} bytes here.")
        self.watch_head()

    def parse(self, data: bytes) -> None:
        """Give uvicorn's own protocol the next bytes."""
        raise NotImplementedError

    def watch_head(self) -> None:
        """The next head is due from its first byte on, but not while an answer is under way."""
        if self.is_answering():
            self.head_deadline.clear()
        elif not self.is_turned_away:
            self.head_deadline.set(self.limits.head_seconds, self.head_is_too_slow)

    def is_answering(self) -> bool:
        """Whether a request came whole as far as its head, and its answer is not complete."""
        return self.cycle is not None and not self.cycle.response_complete

    def head_is_too_slow(self) -> None:
        """A client that began is told; one that never did would not understand."""
        if self.unparsed:
            seconds = self.limits.head_seconds
            self.turn_away(408, "slow_headers", f"The headers of a request have to be whole after {seconds:g} s here.")
        else:
            self.abort("slow_headers")

    def make_room(self) -> None:
        """Let the connection that waits longest for its first request go; where all are in use, turn this one away."""
        overdue = self.loop.time() - self.limits.patient_seconds
        others: Any = self.connections
        waiting = [one for one in others if one.cycle is None and not one.transport.is_closing()]
        longest = min(waiting, key=lambda one: one.since)
        if longest.since < overdue:
            longest.abort("made_room")
        elif len(self.connections) > 2 * self.limits.connections:
            self.abort("too_many_connections")
        else:
            self.turn_away(503, "too_many_connections", "Too many connections are open here.", retry=RETRY_SECONDS)

    def send_400_response(self, msg: str) -> None:
        """In the place of uvicorn's, which writes into the midst of an answer that is under way."""
        self.turn_away(400, "malformed", msg)

    def turn_away(self, status: int, reason: str, detail: str, *, retry: float | None = None) -> None:
        """Answer without asking the application, and read no more."""
        if self.is_answering():
            self.abort(reason)
            return
        self.cut_off(reason)
        self.is_turned_away = True
        self.head_deadline.clear()
        self._unset_keepalive_if_required()
        self.transport.write(answer(Refused(status, reason, detail, retry_after_seconds=retry)))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()
        self.read_deadline.clear()
        self.read_deadline.set(self.limits.linger_seconds, self.transport.abort)

    def abort(self, reason: str) -> None:
        """Drop the connection and what is not read of it."""
        self.cut_off(reason)
        self.transport.abort()

    def pause_writing(self) -> None:
        """More is written than the client has read: it has to, by and by."""
        super().pause_writing()
        self.watch_reader()

    def resume_writing(self) -> None:
        """It did."""
        super().resume_writing()
        if not self.transport.is_closing():
            self.read_deadline.clear()

    def on_response_complete(self) -> None:
        """A connection that closes has to be read to its end too."""
        super().on_response_complete()
        self.watch_closing()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, also when its client has left something unread."""
        super().timeout_keep_alive_handler()
        self.watch_closing()

    def shutdown(self) -> None:
        """The same when the server ends."""
        super().shutdown()
        self.watch_closing()

    def watch_closing(self) -> None:
        """A closing transport waits for its client to read, for good if nobody stops it."""
        if self.transport.is_closing():
            self.watch_reader()

    def watch_reader(self) -> None:
        """What is written has to be read in time."""
        self.read_deadline.set(self.limits.read_seconds, lambda: self.abort("slow_reader"))


def answer(refused: Refused) -> bytes:
    """A refusal as the bytes of an HTTP answer. No request has come, so there is no id of one."""
    problem = {name: value for name, value in refused.problem("").items() if name != "request_id"}
    body = json.dumps(problem).encode()
    headers = {"content-type": PROBLEM, "content-length": str(len(body)), "connection": "close", **refused.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {refused.status} {problem['title']}\r\n{head}\r\n".encode() + body
