"""One source after every check: what is kept, what is refused, and the table that a snapshot stores."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from ingestion.quarantine import QuarantinedRow
from ingestion.rows import Row, original_text
from ingestion.schema import Schema

ARROW_TYPES = {
    "number": pa.float64(),
    "category": pa.string(),
    "labels": pa.list_(pa.string()),
    "text": pa.string(),
    "image": pa.string(),
    "time": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True, kw_only=True)
class IngestedTable:
    """`rows` are those kept and those refused, in the source's order."""

    name: str
    schema: Schema
    rows: Sequence[Row]
    rows_available: int
    columns_ignored: tuple[str, ...]

    @cached_property
    def kept(self) -> list[Row]:
        """The rows that go into the snapshot."""
        return [row for row in self.rows if row.refusal is None]

    @cached_property
    def quarantined(self) -> list[QuarantinedRow]:
        """The rows that go to quarantine."""
        return [
            QuarantinedRow(self.name, row.raw.source, row.raw.number, row.key, *row.refusal, original_text(row.raw))
            for row in self.rows
            if row.refusal is not None
        ]

    def arrow(self) -> pa.Table:
        """The kept rows, one column for each declared one, and the columns that start with `_`."""
        columns = {name: self._array(name, kind) for name, kind in self.schema.kinds.items()}
        columns["_key"] = pa.array([row.key for row in self.kept], pa.string())
        columns["_split"] = pa.array([row.split for row in self.kept], pa.string())
        columns["_hash"] = pa.array([row.content_hash for row in self.kept], pa.string())
        columns["_source"] = pa.array([row.raw.source for row in self.kept], pa.string())
        columns["_row"] = pa.array([row.raw.number for row in self.kept], pa.int64())
        return pa.table(columns)

    def _array(self, name: str, kind: str) -> pa.Array:
        values = [row.typed[name] for row in self.kept]
        if kind == "time":
            return pa.array(values, pa.int64()).cast(ARROW_TYPES[kind])
        return pa.array(values, ARROW_TYPES[kind])
