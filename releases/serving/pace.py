"""How fast a release answers of late: from it follow the size of a batch, and how long who comes now would wait."""

import threading
from dataclasses import dataclass

BATCH_SECONDS = 0.1
NEWEST = 0.2
# What is usual creeps up to what is, within some minutes of load.
CREEP = 0.0002


@dataclass
class Seconds:
    """What a row takes: of late, and usually, which is the least that it took."""

    late: float
    usual: float


class Pace:
    """Moving means of the seconds that a row takes, by action. Safe to share between threads."""

    def __init__(self, *, most_rows: int, workers: int = 1) -> None:
        self._most = most_rows
        self._workers = workers
        self._lock = threading.Lock()
        self._release = ""
        self._seconds: dict[str, Seconds] = {}

    def note(self, action: str, *, rows: int, seconds: float, release: str = "") -> None:
        """What a batch took. Another release begins anew."""
        each = seconds / max(rows, 1)
        with self._lock:
            if release != self._release:
                self._release, self._seconds = release, {}
            known = self._seconds.setdefault(action, Seconds(each, each))
            known.late += NEWEST * (each - known.late)
            known.usual = min(known.late, known.usual + CREEP * (known.late - known.usual))

    def seconds(self, action: str, rows: int) -> float:
        """What so many rows are expected to take; nothing before the first were answered."""
        known = self._seconds.get(action)
        return known.late * rows if known else 0.0

    def wait(self, queued_seconds: float) -> float:
        """How long it takes until work of so many seconds is done."""
        return queued_seconds / self._workers

    def slowness(self, action: str) -> float:
        """How much longer a row takes than usually: 1, or more where the machine has other work."""
        known = self._seconds.get(action)
        return known.late / known.usual if known and known.usual > 0 else 1.0

    @property
    def most_rows(self) -> int:
        """How many rows a batch may have, so that it takes about `BATCH_SECONDS`."""
        each = self.seconds("predict", 1)
        return self._most if each <= 0 else max(1, min(self._most, round(BATCH_SECONDS / each)))

    @property
    def rows_per_second(self) -> float:
        """How many rows are predicted in a second; 0 before the first."""
        each = self.seconds("predict", 1)
        return 1 / each if each > 0 else 0.0
