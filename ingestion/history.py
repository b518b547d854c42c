"""A scenario's snapshots through time: which there are, what each alone holds, and where a row came from."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from ingestion.replayed import MARK
from ingestion.snapshots import MANIFEST, PARTS, Snapshot, current_snapshot, is_readable, open_snapshot
from polyloom.errors import RequestError, suggestion

FEWEST_DIGITS = 4
LINEAGE = ["_key", "_hash", "_source", "_row", "_split"]


@dataclass(frozen=True, kw_only=True)
class SnapshotEntry:
    """One snapshot; `bytes_alone` is what removing it would free, apart from pictures."""

    id: str
    created: str
    current: bool
    rows_in: int
    rows_kept: int
    rows_quarantined: int
    tables: tuple[str, ...]
    bytes_alone: int


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a row is from: the source and its line, and the snapshot since which it is as it is now.

    `reason` is why the row is in quarantine, None for one that is kept; `part` is then its part.
    """

    table: str
    key: str
    source: str
    row: int
    replayed: bool
    split: str | None
    part: str | None
    since: str
    since_created: str
    reason: str | None


def list_snapshots(folder: Path) -> list[SnapshotEntry]:
    """A scenario's snapshots, newest first; `folder` is the scenario's in the snapshot store."""
    found = sorted(map(open_snapshot, readable_folders(folder)), key=_taken, reverse=True)
    users = Counter(name for snapshot in found for name in stored_names(snapshot))
    current = current_snapshot(folder.parent, folder.name)
    return [
        SnapshotEntry(
            id=snapshot.id,
            created=snapshot.manifest["created"],
            current=snapshot.folder == current,
            rows_in=_total(snapshot, "rows_in"),
            rows_kept=_total(snapshot, "rows_kept"),
            rows_quarantined=_total(snapshot, "rows_quarantined"),
            tables=tuple(snapshot.manifest["tables"]),
            bytes_alone=folder_bytes(snapshot.folder)
            + sum(stored_bytes(folder, name) for name in stored_names(snapshot) if users[name] == 1),
        )
        for snapshot in found
    ]


def find_snapshot(folder: Path, given: str) -> Snapshot:
    """The snapshot whose id starts with `given`, or `current`. Raises RequestError that says which there are."""
    if given == "current":
        current = current_snapshot(folder.parent, folder.name)
        if current is not None:
            return open_snapshot(current)
    known = [path.name for path in snapshot_folders(folder)]
    found = [name for name in known if name.startswith(given)] if len(given) >= FEWEST_DIGITS else []
    if len(found) == 1:
        return open_snapshot(folder / found[0])
    there = ", ".join(name[:12] for name in known) or f"none; next: polyloom ingest {folder.name}"
    why = f"{len(found)} snapshots start so" if found else "there is no such snapshot"
    raise RequestError(
        f"{given!r}: {why}. Give at least {FEWEST_DIGITS} digits of an id, or `current`. There: {there}."
    )


def lineage(folder: Path, key: str) -> list[Origin]:
    """Where the rows with this key are from, in every table of the current snapshot and in quarantine.

    Raises RequestError with the nearest key when no row has it.
    """
    newest, *older = snapshots_newest_first(folder)
    found = [*_kept(newest, older, key), *_refused(newest, older, key)]
    if not found:
        known = {name: newest.table(name, ["_key"])["_key"] for name in newest.manifest["tables"]}
        near = suggestion(key, [one.as_py() for keys in known.values() for one in keys.slice(0, 10_000)])
        raise RequestError(f"no row of {', '.join(known)} has the key {key!r}, in quarantine neither.{near}")
    return found


def snapshots_newest_first(folder: Path) -> list[Snapshot]:
    """The current snapshot, then the others, newest first. Raises RequestError when there is none."""
    current = current_snapshot(folder.parent, folder.name)
    if current is None:
        raise RequestError(f"{folder.name} was never ingested. Next: polyloom ingest {folder.name}")
    others = [open_snapshot(path) for path in readable_folders(folder) if path != current]
    return [open_snapshot(current), *sorted(others, key=_taken, reverse=True)]


def snapshot_folders(folder: Path) -> list[Path]:
    """The folders of whole snapshots, those that another version wrote among them."""
    return sorted(path.parent for path in folder.glob(f"[!.]*/{MANIFEST}"))


def readable_folders(folder: Path) -> list[Path]:
    """The folders of whole snapshots that this version can read."""
    return [path for path in snapshot_folders(folder) if is_readable(path)]


def stored_names(snapshot: Snapshot) -> set[str]:
    """The parts and the views that a snapshot rests on: how their files' names begin."""
    tables = snapshot.manifest["tables"].values()
    parts = {part["digest"] for table in tables for part in table["parts"]}
    return parts | {view["sha256"] for table in tables for view in table["views"] if view["sha256"]}


def stored_bytes(folder: Path, name: str) -> int:
    """What a part, or a view, takes on disk."""
    return sum(path.stat().st_size for path in (folder / PARTS).glob(f"{name}.*"))


def folder_bytes(folder: Path) -> int:
    """What the files of a folder take."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _taken(snapshot: Snapshot) -> tuple[datetime, int]:
    """When a snapshot was taken; of those within one second, the file system knows the order."""
    written = (snapshot.folder / MANIFEST).stat().st_mtime_ns
    return datetime.fromisoformat(snapshot.manifest["created"]), written


def _total(snapshot: Snapshot, count: str) -> int:
    return sum(int(table[count]) for table in snapshot.manifest["tables"].values())


def _kept(newest: Snapshot, older: list[Snapshot], key: str) -> Iterator[Origin]:
    for name in newest.manifest["tables"]:
        row = _row(newest, name, key)
        if row is None:
            continue
        since = newest
        for snapshot in older:
            before = _row(snapshot, name, key) if name in snapshot.manifest["tables"] else None
            if before is None or before["_hash"] != row["_hash"]:
                break
            since = snapshot
        yield Origin(
            table=name,
            key=key,
            source=row["_source"],
            row=row["_row"],
            replayed=row["_source"].endswith(MARK),
            split=row["_split"],
            part=row["part"],
            since=since.id,
            since_created=since.manifest["created"],
            reason=None,
        )


def _row(snapshot: Snapshot, table: str, key: str) -> dict[str, Any] | None:
    described = snapshot.manifest["tables"][table]
    pairs = zip(described["parts"], described["views"], strict=True)
    held = [part["digest"] for part, view in pairs if view["rows"]]
    for digest, batch in zip(held, snapshot.batches(table, LINEAGE), strict=True):
        place = pc.index(batch["_key"], key).as_py()
        if place >= 0:
            row: dict[str, Any] = batch.slice(place, 1).to_pylist()[0]
            return {**row, "part": digest}
    return None


def _refused(newest: Snapshot, older: list[Snapshot], key: str) -> Iterator[Origin]:
    refused = newest.quarantine()
    for row in refused.filter(pc.equal(refused["key"], key)).to_pylist():
        since = newest
        for snapshot in older:
            there = snapshot.quarantine()
            same = pc.and_(pc.equal(there["key"], key), pc.equal(there["content"], row["content"]))
            if not pc.any(same).as_py():
                break
            since = snapshot
        yield Origin(
            table=row["table"],
            key=key,
            source=row["source"],
            row=row["row"],
            replayed=row["source"].endswith(MARK),
            split=None,
            part=None,
            since=since.id,
            since_created=since.manifest["created"],
            reason=row["reason"],
        )
