"""Something that is due."""

import asyncio
from collections.abc import Callable


class Deadline:
    """Something that happens unless it is cleared in time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float, action: Callable[[], None]) -> None:
        """Do `action` after `seconds`; a deadline that is set already stays."""
        if self._timer is None:
            self._timer = self._loop.call_later(seconds, action)

    def clear(self) -> None:
        """Let it not happen."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
