"""How fast a release answers of late: from it follow the size of a batch, and how long who comes now would wait."""

import threading

BATCH_SECONDS = 0.1
NEWEST = 0.2


class Pace:
    """Moving means of the seconds that a row takes, by action. Safe to share between threads."""

    def __init__(self, *, most_rows: int, workers: int = 1) -> None:
        self._most = most_rows
        self._workers = workers
        self._lock = threading.Lock()
        self._release = ""
        self._seconds: dict[str, float] = {}

    def note(self, action: str, *, rows: int, seconds: float, release: str = "") -> None:
        """What a batch took. Another release begins anew."""
        each = seconds / max(rows, 1)
        with self._lock:
            if release != self._release:
                self._release, self._seconds = release, {}
            known = self._seconds.get(action, each)
            self._seconds[action] = known + NEWEST * (each - known)

    def seconds(self, action: str, rows: int) -> float:
        """What so many rows are expected to take; nothing before the first were answered."""
        return self._seconds.get(action, 0.0) * rows

    def wait(self, queued_seconds: float) -> float:
        """How long it takes until work of so many seconds is done."""
        return queued_seconds / self._workers

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
