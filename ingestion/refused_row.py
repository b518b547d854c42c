"""One row of the quarantine: its id, and its original values."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ingestion.quarantine import QUARANTINE_SCHEMA

ID_DIGITS = 12
BATCH_ROWS = 4096


@dataclass(frozen=True, kw_only=True)
class RefusedRow:
    """A row in quarantine. `id` stays the same as long as the source holds this row, wherever in it."""

    id: str
    table: str
    source: str
    row: int
    key: str
    reason: str
    message: str
    content: str

    @property
    def values(self) -> dict[str, Any] | None:
        """Its columns as the source has them, or None where the source's line could not be read as columns."""
        return original_values(self.content)


def identified(refused: pa.Table, *, elsewhere: Mapping[str, int]) -> pa.Table:
    """The refused rows with their ids: a hash of table, source and content; equal rows are counted through.

    `elsewhere` are rows, number by id, that may be missing because repaired ones stand in their place.
    """
    met: Counter[str] = Counter()
    ids = []
    for batch in refused.select(["table", "source", "row", "content"]).to_batches(max_chunksize=BATCH_ROWS):
        for row in batch.to_pylist():
            same = json.dumps([row["table"], row["source"], row["content"]])
            while elsewhere.get(identity := _id(same, met[same]), row["row"]) != row["row"]:
                met[same] += 1
            ids.append(identity)
            met[same] += 1
    return refused.select(QUARANTINE_SCHEMA.names).add_column(0, "id", pa.array(ids, pa.string()))


def original_values(content: str) -> dict[str, Any] | None:
    """The columns that a refused row's content holds, or None where it is a line that nobody could read."""
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _id(same: str, occurrence: int) -> str:
    return hashlib.sha256(f"{same}{occurrence}".encode()).hexdigest()[:ID_DIGITS]
