"""Clients that would hold a connection for nothing are cut off: slow or endless headers, unread answers, floods.

uvicorn limits neither how long the head of a request may take nor its size (on httptools), nor how slowly an answer may
be read, nor how many connections are open. What the body of a request may do is not judged here.
"""

import asyncio
from collections.abc import Callable
from importlib.util import find_spec

from releases.serving.client_limits import ClientLimits


def nobody_counts(_reason: str) -> None:
    """Clients that are cut off are not counted."""


def there_is_room(_url: bytes) -> bytes | None:
    """Nobody is refused before the application is asked."""
    return None


def guarded_protocol(
    limits: ClientLimits,
    *,
    cut_off: Callable[[str], None] = nobody_counts,
    full: Callable[[bytes], bytes | None] = there_is_room,
) -> type[asyncio.Protocol]:
    """The class for `uvicorn.Config(http=..., ws="none")`: on httptools where that is installed, else on h11.

    `cut_off` hears the reason each time a client is turned away or cut off: `slow_headers`, `long_headers`,
    `malformed`, `slow_reader`, `made_room`, `too_many_connections`. `full` gives the whole answer to a plain request
    for which there is no room, by its path; on h11 it is not asked.
    """
    return on_httptools(limits, cut_off, full) if find_spec("httptools") else on_h11(limits, cut_off)


def on_httptools(
    limits: ClientLimits, cut_off: Callable[[str], None], full: Callable[[bytes], bytes | None] = there_is_room
) -> type[asyncio.Protocol]:
    """On httptools, which is C."""
    from releases.serving.guarded_httptools import GuardedHttptools

    class Guarded(GuardedHttptools):
        """The protocol with these limits."""

        def cut_off(self, reason: str) -> None:
            cut_off(reason)

        def full(self, url: bytes) -> bytes | None:
            return full(url)

    Guarded.limits = limits
    return Guarded


def on_h11(limits: ClientLimits, cut_off: Callable[[str], None]) -> type[asyncio.Protocol]:
    """On h11, which is Python."""
    from releases.serving.guarded_h11 import GuardedH11

    class Guarded(GuardedH11):
        """The protocol with these limits."""

        def cut_off(self, reason: str) -> None:
            cut_off(reason)

    Guarded.limits = limits
    return Guarded
