"""What a person sees in the terminal: progress on stderr, tables on stdout."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO

from rich import progress as bars
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from polyloom.progress import Bar, Progress

PLAIN_WIDTH = 120
SECONDS_BETWEEN = 30.0


def console_progress(stream: IO[str] | None = None) -> Progress:
    """Bars where a person looks at `stream` (stderr), one line for each finished stage where it goes to a file."""
    console = Console(file=stream or sys.stderr)
    return Bars(console) if console.is_terminal else Lines(Console(file=stream or sys.stderr, width=PLAIN_WIDTH * 2))


class Bars:
    """Live bars; those that are open together are drawn together."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.RLock()
        self._live: bars.Progress | None = None
        self._open = 0

    @contextlib.contextmanager
    def stage(self, name: str, *, total: int | None, unit: str) -> Iterator[Bar]:
        """A bar with what is done, the rate, the time passed and the time left."""
        live = self._enter()
        task = live.add_task(escape(name), total=total, unit=unit, note="")
        try:
            yield LiveBar(live, task)
        finally:
            self._leave(live, task, total)

    def log(self, message: str) -> None:
        """A line above the bars."""
        self._console.print(message, markup=False, highlight=False)

    def _enter(self) -> bars.Progress:
        with self._lock:
            if self._live is None:
                self._live = bars.Progress(*_columns(), console=self._console)
                self._live.start()
            self._open += 1
            return self._live

    def _leave(self, live: bars.Progress, task: bars.TaskID, total: int | None) -> None:
        with self._lock:
            done = next(shown.completed for shown in live.tasks if shown.id == task)
            if total is None:
                # A bar without an end would go on pulsing in the scrollback.
                live.update(task, total=done)
            live.stop_task(task)
            self._open -= 1
            if self._open == 0:
                live.stop()
                self._live = None


class LiveBar:
    """One bar of a live display."""

    def __init__(self, live: bars.Progress, task: bars.TaskID) -> None:
        self._live = live
        self._task = task

    def advance(self, amount: int = 1) -> None:
        """`amount` more units are done."""
        self._live.advance(self._task, amount)

    def say(self, note: str) -> None:
        """Show a note at the end of the line."""
        self._live.update(self._task, note=note)


class Lines:
    """One plain line when a stage ends: for logs and pipes. A long stage also tells its notes, not too often."""

    def __init__(self, console: Console, *, seconds_between: float = SECONDS_BETWEEN) -> None:
        self._console = console
        self._seconds_between = seconds_between

    @contextlib.contextmanager
    def stage(self, name: str, *, total: int | None, unit: str) -> Iterator[Bar]:
        """Count quietly, and tell when the block is over."""
        begun = time.monotonic()
        bar = CountedBar(
            lambda done, note: self.log(
                f"{name}: {_amount(done, total, unit)}so far, {_spent(done, unit, begun)}{note}"
            ),
            seconds_between=self._seconds_between,
        )
        ending = "failed after"
        try:
            yield bar
            ending = "in"
        finally:
            self.log(f"{name}: {_amount(bar.done, total, unit)}{ending} {_spent(bar.done, unit, begun)}{bar.note}")

    def log(self, message: str) -> None:
        """A line of its own."""
        self._console.print(message, markup=False, highlight=False, soft_wrap=True)


class CountedBar:
    """Counts, keeps the last note, and tells one when none was told for a while."""

    def __init__(self, tell: Callable[[int, str], None], *, seconds_between: float) -> None:
        self.done = 0
        self.note = ""
        self._tell = tell
        self._seconds_between = seconds_between
        self._told = time.monotonic()

    def advance(self, amount: int = 1) -> None:
        """`amount` more units are done."""
        self.done += amount

    def say(self, note: str) -> None:
        """Keep the note for the line at the end, and tell it now if it is time."""
        self.note = f"  {note}"
        if time.monotonic() - self._told >= self._seconds_between:
            self._told = time.monotonic()
            self._tell(self.done, self.note)


class RateColumn(bars.ProgressColumn):
    """Units a second."""

    def render(self, task: bars.Task) -> Text:
        """The rate over the whole stage once it has ended, over the last moments before."""
        speed = task.finished_speed or task.speed
        return Text("" if not speed else f"{_figure(speed)} {task.fields['unit']}/s", style="progress.data.speed")


def summary_table(
    rows: Sequence[Mapping[str, object]], *, title: str, columns: Sequence[str], stream: IO[str] | None = None
) -> None:
    """A table for people on stdout: the named columns of each row, numbers to the right."""
    console = Console(file=stream or sys.stdout)
    if not console.is_terminal:
        console = Console(file=stream or sys.stdout, width=PLAIN_WIDTH)
    numeric = {name for name in columns if rows and all(isinstance(row.get(name), int | float) for row in rows)}
    headers = [Column(name, justify="right" if name in numeric else "left", overflow="fold") for name in columns]
    table = Table(*headers, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(name))) for name in columns))
    console.print(table)


def _columns() -> list[bars.ProgressColumn]:
    return [
        bars.TextColumn("{task.description}"),
        bars.BarColumn(bar_width=24),
        bars.MofNCompleteColumn(),
        RateColumn(),
        bars.TimeElapsedColumn(),
        bars.TimeRemainingColumn(compact=True),
        bars.TextColumn("{task.fields[note]}", markup=False),
    ]


def _amount(done: int, total: int | None, unit: str) -> str:
    if not done and total is None:
        return ""
    return f"{done:,}{'' if total in (None, done) else f' of {total:,}'} {unit} "


def _spent(done: int, unit: str, begun: float) -> str:
    seconds = time.monotonic() - begun
    rate = f" ({_figure(done / seconds)} {unit}/s)" if done and seconds > 0 else ""
    return f"{seconds:.1f} s{rate}"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return _figure(value) if isinstance(value, float) else str(value)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4g}"
