"""What every task does around its work: progress in two places, and the seconds it took."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from flows.console import console_progress
from flows.journal import Journal, Tee
from polyloom.progress import Progress

Report = dict[str, Any]


@contextmanager
def shown(journal: str) -> Iterator[Progress]:
    """Progress on the terminal and in the run's journal, which the page follows."""
    with closing(Journal(Path(journal))) as written:
        yield Tee([console_progress(), written])


def timed(work: Callable[[], Report]) -> Report:
    """What the work reports, and its seconds."""
    started = time.monotonic()
    report = work()
    return {**report, "seconds": round(time.monotonic() - started, 3)}
