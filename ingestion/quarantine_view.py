"""The quarantine as people look at it: filtered, by the page, one row with its original values."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingestion.refused_row import BATCH_ROWS, ID_DIGITS, RefusedRow, identified
from ingestion.replayed import Replayed
from ingestion.snapshots import REFUSED, current_snapshot, open_snapshot
from polyloom.errors import RequestError, suggestion


@dataclass(frozen=True, kw_only=True)
class Quarantine:
    """Refused rows with their ids; `origin` says of which ingestion they are."""

    rows: pa.Table
    origin: str

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    def __iter__(self) -> Iterator[RefusedRow]:
        for batch in self.rows.to_batches(max_chunksize=BATCH_ROWS):
            for row in batch.to_pylist():
                yield RefusedRow(**row)

    def select(self, *, table: str | None = None, reason: str | None = None, source: str | None = None) -> "Quarantine":
        """The rows of one table, with one reason, from one source. Raises RequestError for one that none has."""
        rows = self.rows
        for column, wanted in (("table", table), ("reason", reason), ("source", source)):
            if wanted is None:
                continue
            known = sorted(pc.unique(self.rows[column]).to_pylist())
            if wanted not in known:
                raise RequestError(
                    f"--{column} {wanted!r}: no row in quarantine has it.{suggestion(wanted, known)} "
                    f"There: {', '.join(known) or 'none'}."
                )
            rows = rows.filter(pc.equal(rows[column], wanted))
        return Quarantine(rows=rows, origin=self.origin)

    def page(self, *, offset: int = 0, limit: int = 20) -> list[RefusedRow]:
        """Up to `limit` rows from `offset` on."""
        return [RefusedRow(**row) for row in self.rows.slice(offset, limit).to_pylist()]

    def counts(self) -> list[dict[str, Any]]:
        """How many rows each reason refused in each table, the most frequent first."""
        pairs = Counter(zip(self.rows["table"].to_pylist(), self.rows["reason"].to_pylist(), strict=True))
        return [{"table": table, "reason": reason, "rows": rows} for (table, reason), rows in pairs.most_common()]

    def row(self, identity: str) -> RefusedRow:
        """The row with this id, or the only one whose id starts so. Raises RequestError when there is none."""
        found = self.rows.filter(pc.starts_with(self.rows["id"], identity)).slice(0, 2).to_pylist()
        if len(found) != 1 or not identity:
            what = "several rows have ids that start so" if found else f"it is none of the {len(self)} rows there"
            raise RequestError(f"{identity!r} is not the id of a row in quarantine: {what}. `list` shows the ids.")
        return RefusedRow(**found[0])


def open_quarantine(folder: Path) -> Quarantine:
    """The rows that the last ingestion of a scenario refused; `folder` is the scenario's in the snapshot store.

    Where that ingestion was stopped for refusing too many, these are its rows.
    Raises RequestError when the scenario was never ingested.
    """
    elsewhere = {identity: replay.row for identity, replay in Replayed.open(folder).rows.items()}
    stopped = folder / REFUSED
    if stopped.exists():
        rows = identified(pq.read_table(stopped), elsewhere=elsewhere)
        return Quarantine(rows=rows, origin="the ingestion that was stopped")
    current = current_snapshot(folder.parent, folder.name)
    if current is None:
        raise RequestError(f"{folder.name} was never ingested. Next: polyloom ingest {folder.name}")
    snapshot = open_snapshot(current)
    rows = identified(snapshot.quarantine(), elsewhere=elsewhere)
    return Quarantine(rows=rows, origin=f"snapshot {snapshot.id[:ID_DIGITS]}")
