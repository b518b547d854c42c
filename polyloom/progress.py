"""How long work tells what it does: components take a `Progress`, the command line draws it.

The default says nothing, so that every component works from a notebook without one.
"""

import contextlib
from collections.abc import Iterator
from typing import Protocol


class Bar(Protocol):
    """One running piece of work."""

    def advance(self, amount: int = 1) -> None:
        """`amount` more units are done."""

    def say(self, note: str) -> None:
        """Show a short note beside the bar, such as the last epoch's figures."""


class Progress(Protocol):
    """Where pieces of work are shown."""

    def stage(self, name: str, *, total: int | None, unit: str) -> contextlib.AbstractContextManager[Bar]:
        """A bar called `name` over `total` units, open for as long as the block runs."""

    def log(self, message: str) -> None:
        """A line that stays."""


class SilentBar:
    """A bar that shows nothing."""

    def advance(self, amount: int = 1) -> None:
        """Nothing to show."""

    def say(self, note: str) -> None:
        """Nothing to show."""


class Silent:
    """Progress that shows nothing."""

    @contextlib.contextmanager
    def stage(self, name: str, *, total: int | None, unit: str) -> Iterator[Bar]:
        """A bar that shows nothing."""
        yield SilentBar()

    def log(self, message: str) -> None:
        """Nothing to show."""


SILENT: Progress = Silent()
