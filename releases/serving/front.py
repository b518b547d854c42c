"""The front before servers that hold models and may die: it holds none, keeps every request, and asks another.

A process that dies takes the requests it was answering with it, and only who still has a request can ask again. All
that a server does may be done twice: it answers, and a correction that comes twice counts once.
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractContextManager
from typing import Any

from releases.serving.access import ANYBODY, Caller
from releases.serving.buffered import Answered, App, Asked, Receive, Send, asked_of
from releases.serving.context import KEY
from releases.serving.guard import ID_HEADER, Guard
from releases.serving.handled import Handled
from releases.serving.limits import Limits
from releases.serving.refusal import Refused
from releases.serving.request_id import request_id
from releases.serving.routes import Route
from releases.serving.traces import NoTracer, RequestSpan

Call = Callable[[Asked], Awaitable[Answered]]
Errors = tuple[type[Exception], ...]
Told = Callable[[BaseException], None]
# A request that kills whoever answers it must not go round among all of them.
TRIES = 3
PAUSE_SECONDS = 0.05


def front(
    call: Call,
    *,
    limits: Limits,
    lost: Errors,
    busy: Errors = (),
    is_open: bool = False,
    told_lost: Told = lambda _: None,
    told_failed: Told = lambda _: None,
) -> App:
    """An application that passes requests on by `call` and asks again when it raises one of `lost`.

    `busy` are what `call` raises when too many wait already. An open front lets in only who is on this machine. Both
    `told` hear of what went wrong: of a server that was lost, of what nobody foresaw.
    """
    passing = Front(call, limits=limits, lost=lost, busy=busy, told_lost=told_lost)
    return Guard(passing, observing=FrontDesk(limits, told_failed, is_open=is_open))


class Front:
    """Passes requests on; bodies are within bounds already."""

    def __init__(self, call: Call, *, limits: Limits, lost: Errors, busy: Errors, told_lost: Told) -> None:
        self._call = call
        self._seconds = limits.answer_seconds + limits.wait_seconds
        self._lost = lost
        self._busy = busy
        self._told_lost = told_lost

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request. Raises: Refused."""
        if scope["type"] != "http":
            return
        asked = await asked_of(scope, receive)
        named = [*(one for one in asked.headers if one[0] != ID_HEADER), (ID_HEADER, scope[KEY].request_id.encode())]
        answered = await self._answered(asked._replace(headers=named))
        # The id is put on again on the way out.
        headers = [one for one in answered.headers if one[0] != ID_HEADER]
        await send({"type": "http.response.start", "status": answered.status, "headers": headers})
        await send({"type": "http.response.body", "body": answered.body})

    async def _answered(self, asked: Asked) -> Answered:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._from_one_of_them(asked)
        except TimeoutError:
            raise Refused(
                504, "too_slow", f"No answer within {self._seconds:g} s. Ask for fewer rows at once."
            ) from None
        except self._busy:
            raise Refused(
                429, "busy", "Too many requests wait. Try again in a moment.", retry_after_seconds=1
            ) from None

    async def _from_one_of_them(self, asked: Asked) -> Answered:
        for tried in range(TRIES):
            await asyncio.sleep(PAUSE_SECONDS * tried)
            try:
                return await self._call(asked)
            except self._lost as error:
                self._told_lost(error)
        raise Refused(
            503,
            "unavailable",
            f"{TRIES} servers were lost while they answered this. Try again later.",
            retry_after_seconds=5,
        )


class FrontDesk:
    """What the guard of a front asks: who is let in is decided behind it, and told there too."""

    scenarios: frozenset[str] = frozenset()

    def __init__(self, limits: Limits, failed: Told, *, is_open: bool) -> None:
        self.limits = limits
        self._failed = failed
        self._is_open = is_open
        self._tracer = NoTracer()

    def request_id(self, given: str | None) -> str:
        """The id of a request, here and behind the front."""
        return request_id(given)

    def admit(self, _headers: dict[bytes, bytes], _route: Route, client: str) -> Caller:
        """Anybody, but only from this machine where nobody is asked for a token. Raises: Refused."""
        if self._is_open and not is_this_machine(client):
            raise Refused(
                403, "invalid_token", "This server asks for no token and so answers on its own machine alone."
            )
        return ANYBODY

    def check_lane(self, route: Route) -> None:
        """Queues are behind the front."""

    def span(self, traceparent: str | None, route: Route) -> AbstractContextManager[RequestSpan]:
        """Told behind the front."""
        return self._tracer.request(traceparent, route.template)

    def handled(self, handled: Handled) -> None:
        """Told behind the front."""

    def failed(self, error: BaseException, request_id: str) -> None:  # noqa: ARG002  (as the protocol has it)
        """Something that is nobody's request's fault."""
        self._failed(error)


def is_this_machine(address: str) -> bool:
    """Whether a request comes from here."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
