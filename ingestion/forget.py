"""Forgetting: an item leaves the snapshots, the quarantine, the repaired rows and the picture store, byte by byte.

The ledger is written first, so that no ingestion brings the item back and a killed forgetting can be repeated.
Snapshots stay immutable: each that held the item is published anew without it, under an id of its own, and the old one
is removed.
"""

import json
import re
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingestion.blobs import blob_path
from ingestion.collection import (
    drafts,
    every_scenario_locked,
    remove_draft,
    remove_parts,
    remove_snapshot,
    scenario_folders,
    shown_pictures,
    unused_parts,
)
from ingestion.examination.signatures import SIGNATURES
from ingestion.forgetting import Rewriting
from ingestion.forgotten import Forgotten
from ingestion.forgotten_rows import Rows, mentions
from ingestion.history import snapshot_folders, snapshots_newest_first
from ingestion.replayed import FOLDER
from ingestion.snapshots import POINTER, open_snapshot
from polyloom.durable import read_json, replace_file, write_json
from polyloom.errors import RequestError, suggestion
from polyloom.progress import SILENT, Progress

NEAR_KEYS = 10_000
# The key of a row that declares none and repeats another's content.
REPEATED = re.compile(r"[0-9a-f]{24}-\d+")


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is to be forgotten: the rows as they are stored, their pictures, and the snapshots that hold them."""

    rows: Sequence[Mapping[str, Any]]
    pictures: Collection[str]
    snapshots: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Forgot:
    """What left: rows by table and refused ones, as many as the fullest snapshot held, repaired ones, pictures.

    `snapshots` maps each old id to the new one, `held_by` are the ids of all that ever held the item. `places` are
    the lines of the sources from which the current snapshot had it, and which still hold it.
    """

    rows: Mapping[str, int]
    refused: int
    replayed: int
    pictures: int
    snapshots: Mapping[str, str]
    places: Sequence[str]
    held_by: Sequence[str] = field(default_factory=tuple)


def nothing_else(_found: Found) -> None:
    """What is cleaned besides, by default."""


def forget(
    folder: Path,
    keys: Sequence[str],
    *,
    blobs: Path,
    references: Mapping[str, Sequence[str]],
    pictures: Collection[str] = (),
    clean: Callable[[Found], None] = nothing_else,
    progress: Progress = SILENT,
) -> Forgot:
    """Remove the items with these keys from everything that ingestion keeps; `folder` is the scenario's.

    `references` are the columns of each table that hold the key of an item: rows of it leave too. `pictures` (SHA-256)
    stay all the same. `clean` is called with what was found before the first row is removed, again when a killed
    forgetting is repeated.

    Raises:
        RequestError: a key that no row has and that was never forgotten.
        IntegrityError: a scenario has a snapshot that another version of polyloom wrote.
    """
    keys = [key.partition("-")[0] if REPEATED.fullmatch(key) else key for key in keys]
    with every_scenario_locked(folder.parent, progress):
        _check_readable(folder.parent)
        ledger = Forgotten.open(folder)
        rewriting = Rewriting(folder, set(keys), Rows(references=references), blobs)
        _check_known(folder, keys, rewriting, ledger)
        ledger.add(keys, snapshots=[one.id for one in rewriting.affected], pictures=rewriting.pictures)
        going = ledger.told(keys, "pictures")
        clean(Found(rows=rewriting.rows, pictures=going, snapshots=ledger.told(keys, "snapshots")))
        # They are made of texts, and made again from those that stay.
        shutil.rmtree(folder / SIGNATURES, ignore_errors=True)
        replayed = _forget_replayed(folder, set(keys))
        renamed = _rewrite(folder, rewriting)
        removed = _remove_pictures(folder, set(going) - set(pictures), blobs)
        ledger.settle(keys)
    return Forgot(
        rows=rewriting.counts,
        refused=rewriting.refused,
        replayed=replayed,
        pictures=removed,
        snapshots=renamed,
        places=rewriting.places,
        held_by=ledger.told(keys, "snapshots"),
    )


def _check_readable(store: Path) -> None:
    """Raise IntegrityError for a snapshot of which nobody can say what it holds, before anything is removed."""
    for scenario in scenario_folders(store):
        for path in snapshot_folders(scenario):
            open_snapshot(path)


def _check_known(folder: Path, keys: Sequence[str], rewriting: Rewriting, ledger: Forgotten) -> None:
    for key in keys:
        if key in rewriting.named or key in ledger:
            continue
        newest = snapshots_newest_first(folder)[0]
        near = [
            known.as_py()
            for name in newest.manifest["tables"]
            for known in newest.table(name, ["_key"])["_key"].slice(0, NEAR_KEYS)
        ]
        raise RequestError(
            f"{key!r}: no row of {folder.name} has this key, in its snapshots or in quarantine.{suggestion(key, near)} "
            f"Nothing was removed."
        )


def _rewrite(folder: Path, rewriting: Rewriting) -> dict[str, str]:
    """Publish each snapshot that held the item anew, point to it, and remove what is without a name then."""
    for draft in drafts(folder):
        remove_draft(draft)
    current = read_json(folder / POINTER)["id"]
    renamed = {}
    for snapshot in rewriting.affected:
        renamed[snapshot.id] = rewriting.publish(snapshot)
        if snapshot.id == current:
            write_json(folder / POINTER, {"id": renamed[snapshot.id]})
        remove_snapshot(snapshot.folder)
    rewriting.clean_refused()
    remove_parts(folder, unused_parts(folder, map(open_snapshot, snapshot_folders(folder))))
    return renamed


def _forget_replayed(folder: Path, keys: set[str]) -> int:
    removed = 0
    for path in sorted((folder / FOLDER).glob("*/*.jsonl")):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = []
        for line in lines:
            replay = json.loads(line)
            named = {str(value).strip() for value in replay["values"].values()}
            if named.isdisjoint(keys) and not mentions(replay["content"], keys):
                kept.append(line)
        if len(kept) < len(lines):
            removed += len(lines) - len(kept)
            replace_file(path, "".join(kept).encode())
    return removed


def _remove_pictures(folder: Path, pictures: Collection[str], blobs: Path) -> int:
    """Remove pictures that no row of any scenario shows any more, and what is noted of their files."""
    shown = shown_pictures(
        open_snapshot(path) for scenario in scenario_folders(folder.parent) for path in snapshot_folders(scenario)
    )
    going = set(pictures) - shown
    for noted in (blobs / "checked").glob(f"{folder.name}.*.json") if going else ():
        known = read_json(noted)
        kept = {path: seen for path, seen in known.items() if seen[2] not in going}
        if len(kept) < len(known):
            replace_file(noted, json.dumps(kept, separators=(",", ":"), sort_keys=True).encode())
    there = [path for picture in going if (path := blob_path(blobs, picture)).exists()]
    for path in there:
        for draft in path.parent.glob(f".{path.name}.*"):
            draft.unlink()
        path.unlink()
    return len(there)
