"""What an approximate index overlooks, measured on a share of the live queries: a file of recall@k, one line each."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from polyloom.durable import json_line

KEPT_LINES = 2_000
# Below this a mean says little.
LEAST = 30


class Recall(NamedTuple):
    """The mean recall@k of the last queries that were repeated exactly, and how many these were."""

    mean: float
    queries: int

    @property
    def is_known(self) -> bool:
        """Whether there are enough to go by."""
        return self.queries >= LEAST


def recall_at_k(found: Sequence[str], true: Sequence[str]) -> float:
    """The share of the true neighbours that were found; 1 where there are none."""
    return len({*found} & {*true}) / len(true) if true else 1.0


class RecallLog:
    """A file that processes append to. A line that a crash cut off is passed over."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, field: str, recall: float, *, number: int) -> None:
        """Note a repeated query of one field, over the state of that number."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as stream:
            stream.write(json_line({"at": round(time.time()), "field": field, "recall": recall, "state": number}))

    def recent(self, *, most: int = 200) -> dict[str, Recall]:
        """By field the last queries."""
        values: dict[str, list[float]] = {}
        for line in self._lines()[-KEPT_LINES:]:
            try:
                noted = json.loads(line)
                values.setdefault(noted["field"], []).append(float(noted["recall"]))
            except (ValueError, KeyError, TypeError):
                continue
        last = {field: own[-most:] for field, own in values.items()}
        return {field: Recall(sum(own) / len(own), len(own)) for field, own in last.items()}

    def clear(self) -> None:
        """Begin anew, because the index is another one now."""
        self.path.unlink(missing_ok=True)

    def _lines(self) -> list[bytes]:
        return self.path.read_bytes().splitlines() if self.path.is_file() else []
