"""What an ingestion did, in counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class TableReport:
    """What became of one table's rows; `reasons` counts the refused ones by reason.

    `rows_forgotten` were about items that are to be forgotten, and count nowhere else. Of its `parts`, `parts_reused`
    were there before.
    """

    rows_in: int
    rows_kept: int
    rows_quarantined: int
    rows_available: int
    rows_forgotten: int
    reasons: Mapping[str, int]
    columns_ignored: tuple[str, ...]
    parts: int
    parts_reused: int


@dataclass(frozen=True, kw_only=True)
class SnapshotReport:
    """What an ingestion did; `created` is False when the same content was there already."""

    id: str
    folder: Path
    created: bool
    tables: Mapping[str, TableReport]

    @property
    def rows_in(self) -> int:
        """Rows read, after sampling."""
        return sum(table.rows_in for table in self.tables.values())

    @property
    def rows_kept(self) -> int:
        """Rows in the snapshot's tables."""
        return sum(table.rows_kept for table in self.tables.values())

    @property
    def rows_quarantined(self) -> int:
        """Rows in the snapshot's quarantine."""
        return sum(table.rows_quarantined for table in self.tables.values())
