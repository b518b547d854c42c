"""What changed between two snapshots: rows by their keys, refused rows, and the schema."""

from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ingestion.drift import drift
from ingestion.profile import Profile
from ingestion.snapshots import Snapshot

EXAMPLES = 5
QUARANTINE_COLUMNS = ["table", "source", "content", "reason"]
COMPARED = {"_key": pa.string(), "_hash": pa.binary(), "_split": pa.string()}


@dataclass(frozen=True, kw_only=True)
class TableDiff:
    """Rows of one table that came, went, or have another content under the same key; a few keys of each."""

    table: str
    added: int
    removed: int
    changed: int
    moved: int
    examples: dict[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class SnapshotDiff:
    """From snapshot `old` to `new`; `schema` are the drifts, each as a mapping."""

    old: str
    new: str
    tables: list[TableDiff]
    quarantined: list[dict[str, Any]]
    released: list[dict[str, Any]]
    schema: list[dict[str, Any]]


def diff(old: Snapshot, new: Snapshot) -> SnapshotDiff:
    """Compare two snapshots; `moved` rows are on another side of the split."""
    names = dict.fromkeys([*old.manifest["tables"], *new.manifest["tables"]])
    return SnapshotDiff(
        old=old.id,
        new=new.id,
        tables=[_table_diff(name, old, new) for name in names],
        quarantined=_refused_beyond(new.quarantine(), old.quarantine()),
        released=_refused_beyond(old.quarantine(), new.quarantine()),
        schema=[asdict(one) for one in drift(_profiles(old), _profiles(new))],
    )


def _table_diff(name: str, old: Snapshot, new: Snapshot) -> TableDiff:
    before, after = _rows(old, name), _rows(new, name)
    places = pc.index_in(after["_key"], value_set=before["_key"])
    both = pc.is_valid(places)
    here, there = after.filter(both), before.take(places.drop_null())
    found = {
        "added": after.filter(pc.invert(both))["_key"],
        "removed": before.filter(pc.invert(pc.is_in(before["_key"], value_set=after["_key"])))["_key"],
        "changed": here["_key"].filter(pc.not_equal(here["_hash"], there["_hash"])),
        "moved": here["_key"].filter(pc.not_equal(here["_split"], there["_split"])),
    }
    return TableDiff(
        table=name,
        **{what: len(keys) for what, keys in found.items()},
        examples={what: keys.slice(0, EXAMPLES).to_pylist() for what, keys in found.items() if len(keys)},
    )


def _rows(snapshot: Snapshot, name: str) -> pa.Table:
    if name not in snapshot.manifest["tables"]:
        return pa.table({column: pa.array([], kind) for column, kind in COMPARED.items()})
    table = snapshot.table(name, list(COMPARED))
    return pa.table({column: _one_array(table[column]).cast(kind) for column, kind in COMPARED.items()})


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined


def _refused_beyond(rows: pa.Table, others: pa.Table) -> list[dict[str, Any]]:
    """How many rows are refused there and not here, by table and reason."""
    known = set(map(tuple, (row.values() for row in others.select(QUARANTINE_COLUMNS).to_pylist())))
    counts: dict[tuple[str, str], int] = {}
    for row in rows.select(QUARANTINE_COLUMNS).to_pylist():
        if tuple(row.values()) not in known:
            counts[row["table"], row["reason"]] = counts.get((row["table"], row["reason"]), 0) + 1
    return [{"table": table, "reason": reason, "rows": rows} for (table, reason), rows in sorted(counts.items())]


def _profiles(snapshot: Snapshot) -> dict[str, Profile]:
    tables = snapshot.manifest["tables"]
    return {name: described["profile"] for name, described in tables.items() if "profile" in described}
