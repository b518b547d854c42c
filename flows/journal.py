"""The journal of a run: progress events, one JSON object a line, appended and never changed.

The page follows a run by reading it; a torn last line (the writer was killed) is skipped.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from flows.processes import born
from polyloom.progress import Bar, Progress

ADVANCES_A_SECOND = 2


def journal_path(home: Path, scenario: str, flow_run_id: str) -> Path:
    """Where a run's journal lies."""
    return home / "journal" / scenario / f"{flow_run_id}.jsonl"


class Journal:
    """Progress that is written down. As a context it writes `run_started` and `run_ended` around the block."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._mend()

    def __enter__(self) -> Self:
        self.write("run_started", pid=os.getpid(), born=born(os.getpid()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.write("run_ended", state="done" if kind is None else "failed", error=None if error is None else str(error))
        self.close()

    def write(self, event: str, **details: object) -> None:
        """Append one event; it is in the file when this returns."""
        line = json.dumps({"at": _now(), "kind": event, **details}, ensure_ascii=False, default=str)
        # One write of a whole line to an O_APPEND file: lines of several writers never mix.
        os.write(self._handle, (line + "\n").encode())

    @contextlib.contextmanager
    def stage(self, name: str, *, total: int | None, unit: str) -> Iterator[Bar]:
        """Write down a stage's start, its steps (at most two a second) and its end."""
        self.write("stage_started", stage=name, total=total, unit=unit)
        bar = JournalBar(self, name)
        try:
            yield bar
        except BaseException:
            bar.end(state="failed")
            raise
        bar.end(state="done")

    def log(self, message: str) -> None:
        """Write down a line that stays."""
        self.write("log", message=message)

    def metrics(self, values: Mapping[str, float]) -> None:
        """Write down figures, such as an epoch's or the test's."""
        self.write("metrics", values=dict(values))

    def close(self) -> None:
        """Close the file; nothing can be written after that."""
        os.close(self._handle)

    def _mend(self) -> None:
        """End the torn line that a killed writer left, so that it swallows no event of ours."""
        content = self._path.read_bytes()
        if content and not content.endswith(b"\n"):
            os.write(self._handle, b"\n")


class JournalBar:
    """One stage, written down."""

    def __init__(self, journal: Journal, name: str) -> None:
        self._journal = journal
        self._name = name
        self._done = 0
        self._begun = time.monotonic()
        self._written = 0.0

    def advance(self, amount: int = 1) -> None:
        """`amount` more units are done."""
        self._done += amount
        if time.monotonic() - self._written >= 1 / ADVANCES_A_SECOND:
            self._written = time.monotonic()
            self._journal.write("advanced", stage=self._name, done=self._done)

    def say(self, note: str) -> None:
        """Write down a note."""
        self._journal.write("note", stage=self._name, note=note)

    def end(self, *, state: str) -> None:
        """Write down how far the stage came and how long it took."""
        seconds = round(time.monotonic() - self._begun, 3)
        self._journal.write("stage_ended", stage=self._name, done=self._done, seconds=seconds, state=state)


class Tee:
    """Progress that is shown in several places at once."""

    def __init__(self, progresses: Sequence[Progress]) -> None:
        self._progresses = tuple(progresses)

    @contextlib.contextmanager
    def stage(self, name: str, *, total: int | None, unit: str) -> Iterator[Bar]:
        """A bar in each place."""
        stages: list[AbstractContextManager[Bar]] = [
            progress.stage(name, total=total, unit=unit) for progress in self._progresses
        ]
        with ExitStack() as stack:
            yield TeeBar([stack.enter_context(stage) for stage in stages])

    def log(self, message: str) -> None:
        """A line in each place."""
        for progress in self._progresses:
            progress.log(message)


class TeeBar:
    """A bar that is shown in several places at once."""

    def __init__(self, bars: Sequence[Bar]) -> None:
        self._bars = tuple(bars)

    def advance(self, amount: int = 1) -> None:
        """`amount` more units are done."""
        for bar in self._bars:
            bar.advance(amount)

    def say(self, note: str) -> None:
        """Show a note beside each bar."""
        for bar in self._bars:
            bar.say(note)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
