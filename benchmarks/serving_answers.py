"""What a load was answered with: counts, latencies and failures of it, whole or of a stretch of time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

OK, BUSY, SERVER_ERRORS = 200, 429, 500


class Told(NamedTuple):
    """One request; times in seconds of the system's monotonic clock, `due` when it was to be sent.

    `status` is 0 and `failure` the kind where there was no answer; `release` the digest in the answer, if any.
    """

    due: float
    sent: float
    ended: float
    status: int
    failure: str
    retry_after: bool
    release: str


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Columns [requests] of what was told; `unsent` is how many requests no connection was free for."""

    started: float
    seconds: float
    due: np.ndarray
    sent: np.ndarray
    ended: np.ndarray
    status: np.ndarray
    failure: np.ndarray
    retry_after: np.ndarray
    release: np.ndarray
    unsent: int

    @classmethod
    def of(cls, told: Sequence[Told], *, started: float, seconds: float, unsent: int = 0) -> "Answers":
        """All that was told of one load."""
        columns = dict(zip(Told._fields, zip(*told, strict=True), strict=True)) if told else dict.fromkeys(Told._fields)
        kinds = {"status": int, "retry_after": bool, "failure": str, "release": str}
        arrays = {name: np.array(values or (), kinds.get(name, float)) for name, values in columns.items()}
        return cls(started=started, seconds=seconds, unsent=unsent, **arrays)

    def where(self, chosen: np.ndarray, *, seconds: float | None = None) -> "Answers":
        """Those of a mask [requests]."""
        parts = {name: getattr(self, name)[chosen] for name in Told._fields}
        return replace(self, seconds=seconds or self.seconds, **parts)

    def between(self, start: float, end: float) -> "Answers":
        """Those that were due in a stretch, in seconds since the load started."""
        since = self.due - self.started
        return self.where((since >= start) & (since < end), seconds=min(end, self.seconds) - start)

    @property
    def counts(self) -> dict[int, int]:
        """How many of each status; 0 is no answer."""
        return dict(sorted(Counter(self.status.tolist()).items()))

    @property
    def failures(self) -> dict[str, int]:
        """How many failed, by kind: no answer, or the server's own error."""
        kinds = Counter(self.failure[self.status == 0].tolist())
        kinds.update(f"status {status}" for status in self.status[self.status >= SERVER_ERRORS].tolist())
        return dict(sorted(kinds.items()))

    @property
    def releases(self) -> dict[str, int]:
        """How many were answered by each release."""
        return dict(Counter(self.release[self.status == OK].tolist()))

    @property
    def busy_without_wait(self) -> int:
        """Refusals for want of room that do not say when to come again."""
        return int(((self.status == BUSY) & ~self.retry_after).sum())

    @property
    def per_second(self) -> float:
        """Requests answered with 200 in a second."""
        return float((self.status == OK).sum()) / self.seconds

    def milliseconds(self, quantile: float) -> float:
        """From when a request was due until its answer, of those answered with 200."""
        answered = self.status == OK
        if not answered.any():
            return float("nan")
        return float(np.quantile(self.ended[answered] - self.due[answered], quantile)) * 1000

    @property
    def p95(self) -> float:
        """In milliseconds."""
        return self.milliseconds(0.95)

    def line(self) -> str:
        """All of it on one line, for those who watch."""
        latencies = ", ".join(f"{name} {self.milliseconds(at):.1f}" for name, at in QUANTILES.items())
        return (
            f"{len(self.status):,} sent in {self.seconds:.0f} s ({self.unsent:,} unsent), {self.per_second:.1f} "
            f"answered a second, ms {latencies}; statuses {self.counts}, failures {self.failures}"
        )


QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
