"""The outermost part of the server: every request gets an id, a place, a sender who may, and a body within bounds.

What it refuses costs next to nothing: a full server says so before it reads a body. Whatever happens inside, exactly
one answer goes out, and exactly one line is noted of it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Any, Protocol

import orjson

from polyloom.errors import IntegrityError, PolyloomError, RequestError
from releases.serving.access import Caller
from releases.serving.context import KEY, Context
from releases.serving.handled import Handled
from releases.serving.limits import Limits
from releases.serving.refusal import PROBLEM, Refused
from releases.serving.routes import Route, route_of
from releases.serving.traces import RequestSpan

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
ID_HEADER = b"x-request-id"
LONGEST_LENGTH = 18


class Observing(Protocol):
    """Who is told of requests, and what asks whether one may be made."""

    scenarios: frozenset[str]
    limits: Limits

    def request_id(self, given: str | None) -> str:
        """The id of a request: the caller's where it is one, else a new one."""

    def admit(self, headers: dict[bytes, bytes], route: Route, client: str) -> Caller:
        """Who asks. Raises: Refused."""

    def check_lane(self, route: Route) -> None:
        """Raises: Refused where a scenario's queue is full."""

    def span(self, traceparent: str | None, route: Route) -> AbstractContextManager[RequestSpan]:
        """The span of a request."""

    def handled(self, handled: Handled) -> None:
        """A request was answered."""

    def failed(self, error: BaseException, request_id: str) -> None:
        """A request died of something that is nobody's request's fault."""


class Guard:
    """Middleware: `observing` decides and notes, `app` answers."""

    def __init__(self, app: App, *, observing: Observing) -> None:
        self._app = app
        self._observing = observing
        self._limits = observing.limits
        self.in_flight = 0
        self.held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is no request goes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        context = Context(
            request_id=self._observing.request_id(headers.get(ID_HEADER, b"").decode("latin-1") or None),
            method=scope["method"],
            route=route_of(scope["path"], scenarios=self._observing.scenarios),
            began=time.perf_counter(),
        )
        scope[KEY] = context
        answer = Answer(send, context)
        parent = headers.get(b"traceparent", b"").decode("latin-1") or None
        self.in_flight += 1
        with self._observing.span(parent, context.route) as context.span:
            try:
                await self._guarded(scope, receive, answer, headers)
            except Exception as error:  # noqa: BLE001  (one answer goes out, whatever happened)
                await self._refuse(answer, error)
            finally:
                self.in_flight -= 1
                handled = context.handled(seconds=time.perf_counter() - context.began)
                context.span.handled(handled)
                self._observing.handled(handled)

    async def _guarded(self, scope: Scope, receive: Receive, answer: "Answer", headers: dict[bytes, bytes]) -> None:
        context, limits = answer.context, self._limits
        if context.route.scope is not None:
            if self.in_flight > limits.in_flight or self.held_bytes > limits.held_bytes:
                raise Refused(429, "busy", "Too many requests are open. Try again in a moment.", retry_after_seconds=1)
            client = scope["client"][0] if scope.get("client") else ""
            context.caller = self._observing.admit(headers, context.route, client)
            self._observing.check_lane(context.route)
        body = await self._body(receive, headers, context)
        try:
            await self._app(scope, given_back(body, receive), answer)
        finally:
            self.held_bytes -= len(body)

    async def _body(self, receive: Receive, headers: dict[bytes, bytes], context: Context) -> bytes:
        """The whole body, counted as held. Raises: Refused for one that is too large or comes too slowly."""
        most = self._limits.body_bytes
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and (len(announced) > LONGEST_LENGTH or int(announced) > most):
            raise too_large(most)
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                body = await whole(receive, most)
        except TimeoutError:
            raise Refused(
                408,
                "body_too_slow",
                f"The body was not whole after {self._limits.body_seconds:g} s. Send it faster.",
                headers={"Connection": "close"},
            ) from None
        context.bytes_in = len(body)
        self.held_bytes += len(body)
        return body

    async def _refuse(self, answer: "Answer", error: Exception) -> None:
        refused = refusal_of(error)
        if refused is not error and refused.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._observing.failed(error, answer.context.request_id)
        if not answer.begun:
            await answer.problem(refused)


class Answer:
    """Sends on what goes out, and notes its status and size; every answer carries the request's id."""

    def __init__(self, send: Send, context: Context) -> None:
        self._send = send
        self.context = context
        self.begun = False

    async def __call__(self, message: Message) -> None:
        """One message of an answer."""
        if message["type"] == "http.response.start":
            self.begun = True
            self.context.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (ID_HEADER, self.context.request_id.encode())]
        elif message["type"] == "http.response.body":
            self.context.bytes_out += len(message.get("body", b""))
        await self._send(message)

    async def problem(self, refused: Refused) -> None:
        """The whole answer to a request that is refused."""
        self.context.refused = refused.reason
        body = orjson.dumps(refused.problem(self.context.request_id))
        headers = [(b"content-type", PROBLEM.encode()), (b"content-length", str(len(body)).encode())]
        headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in refused.headers.items()]
        await self({"type": "http.response.start", "status": refused.status, "headers": headers})
        await self({"type": "http.response.body", "body": body})


def refusal_of(error: Exception) -> Refused:
    """What the sender is told of an error: what was wrong with the request, and nothing of what is wrong with us."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, RequestError):
        return Refused(422, "wrong_request", str(error))
    if isinstance(error, IntegrityError):
        return Refused(503, "damaged", "A file is not what it should be; the log knows it by its request_id.")
    if isinstance(error, PolyloomError):
        return Refused(503, "unavailable", "The release could not answer; the log knows it by its request_id.")
    return Refused(500, "failed", "The request could not be answered; the log knows it by its request_id.")


async def whole(receive: Receive, most: int) -> bytes:
    """A body to its end. Raises: Refused for one of more than `most` bytes."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "gone", "The connection ended before the body did.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise too_large(most)
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def too_large(most: int) -> Refused:
    """A body beyond the limit; the connection is closed, so that the rest of it need not be read."""
    return Refused(
        413,
        "body_too_large",
        f"The body has more than {most} bytes. Send fewer rows or smaller pictures.",
        headers={"Connection": "close"},
    )


def given_back(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body, then whatever comes after it."""
    left: list[bytes] = [body]

    async def again() -> Message:
        return {"type": "http.request", "body": left.pop(), "more_body": False} if left else await receive()

    return again
