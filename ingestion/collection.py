"""Garbage collection: old snapshots go, with the parts and the pictures that nobody names any more.

What names a thing is removed before the thing, so that a kill leaves files without a name and never a name without
its file; the next collection removes those.
"""

import contextlib
import functools
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.compute as pc

from ingestion.caches import unused_entries
from ingestion.history import (
    folder_bytes,
    readable_folders,
    snapshot_folders,
    snapshots_newest_first,
    stored_bytes,
    stored_names,
)
from ingestion.replayed import FOLDER
from ingestion.snapshots import PARTS, Snapshot, is_readable, open_snapshot
from polyloom.durable import locked, sync_folder
from polyloom.errors import RequestError
from polyloom.progress import SILENT, Progress

KEEP = 3
# A picture that an ingestion has just stored has no snapshot yet.
YOUNG_SECONDS = 3600


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What was removed, or would be; `parts` counts views too."""

    dry_run: bool
    kept: tuple[str, ...]
    snapshots: tuple[str, ...]
    drafts: int
    parts: int
    pictures: int
    cached: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class _Plan:
    kept: tuple[str, ...]
    snapshots: Sequence[Path]
    drafts: Sequence[Path]
    parts: Sequence[str]
    pictures: Sequence[Path]
    cached: Sequence[Path]


def collect(
    folder: Path,
    *,
    blobs: Path,
    cache: Path | None = None,
    keep: int = KEEP,
    named: Collection[str] = (),
    pictures: Collection[str] = (),
    dry_run: bool = False,
    young_seconds: float = YOUNG_SECONDS,
    progress: Progress = SILENT,
) -> Collected:
    """Remove what a scenario needs no more; `folder` is the scenario's in the snapshot store.

    The current snapshot stays, the newest `keep`, and those whose ids are `named` by releases and runs. Pictures stay
    that any scenario's snapshot shows, those in `pictures` (SHA-256), and those younger than `young_seconds`. Snapshots
    that another version of polyloom wrote go, unless they are named. Of `cache`, where it is given, goes what was
    unpacked or fetched and what no scenario's last ingestion read, nor anybody for `young_seconds`.
    Raises RequestError for a scenario that was never ingested, or a `keep` below 1.
    """
    if keep < 1:
        raise RequestError(f"--keep {keep}: the current snapshot always stays; give 1 or more.")
    with every_scenario_locked(folder.parent, progress):
        plan = _planned(
            folder, blobs=blobs, keep=keep, named=named, pictures=set(pictures), before=time.time() - young_seconds
        )
        if cache is not None:
            unused = unused_entries(folder.parent, cache=cache, before=time.time() - young_seconds)
            plan = replace(plan, cached=unused)
        freed = _size(folder, plan)
        if not dry_run:
            _remove(folder, plan)
    return Collected(
        dry_run=dry_run,
        kept=plan.kept,
        snapshots=tuple(path.name for path in plan.snapshots),
        drafts=len(plan.drafts),
        parts=len(plan.parts),
        pictures=len(plan.pictures),
        cached=len(plan.cached),
        bytes=freed,
    )


def shown_pictures(snapshots: Iterable[Snapshot]) -> set[str]:
    """The pictures, by SHA-256, that rows of these snapshots show."""
    found: set[str] = set()
    for snapshot in snapshots:
        for name, described in snapshot.manifest["tables"].items():
            if described["image"]:
                for batch in snapshot.batches(name, [described["image"]]):
                    found.update(pc.unique(batch[described["image"]].drop_null()).to_pylist())
    return found


def remove_snapshot(path: Path) -> None:
    """Remove a snapshot's folder, and its card."""
    remove_in_one_step(path)
    path.with_name(f"{path.name}.card.html").unlink(missing_ok=True)


def remove_in_one_step(path: Path) -> None:
    """Remove a folder as a whole; what is left of a killed removal is a draft."""
    going = path.with_name(f".{path.name.lstrip('.')}.removed")
    with contextlib.suppress(FileNotFoundError):
        path.rename(going)
        sync_folder(path.parent)
    shutil.rmtree(going, ignore_errors=True)


def drafts(folder: Path) -> list[Path]:
    """What killed processes left under a scenario's folder; the caller holds the scenario's lock."""
    return [*folder.glob(".*"), *(folder / PARTS).glob(".*"), *(folder / FOLDER).glob("*/.*")]


def remove_draft(draft: Path) -> None:
    """Remove a draft, be it a file or a folder."""
    if draft.is_dir():
        shutil.rmtree(draft)
    else:
        draft.unlink(missing_ok=True)


def remove_parts(folder: Path, names: Iterable[str]) -> None:
    """Remove parts and views; the record that makes a part known goes first."""
    for name in names:
        (folder / PARTS / f"{name}.json").unlink(missing_ok=True)
        for path in (folder / PARTS).glob(f"{name}.*"):
            path.unlink(missing_ok=True)


def unused_parts(folder: Path, snapshots: Iterable[Snapshot]) -> list[str]:
    """The parts and views of a scenario that none of the snapshots rests on."""
    used = {name for snapshot in snapshots for name in stored_names(snapshot)}
    return sorted({path.name.partition(".")[0] for path in (folder / PARTS).glob("[!.]*")} - used)


def scenario_folders(store: Path) -> list[Path]:
    """The folders of all scenarios in a snapshot store."""
    return sorted(path for path in store.glob("[!.]*") if path.is_dir())


def _planned(
    folder: Path, *, blobs: Path, keep: int, named: Collection[str], pictures: set[str], before: float
) -> _Plan:
    known = snapshots_newest_first(folder)
    kept = [one for place, one in enumerate(known) if place < keep or one.id in named or one.folder.name in named]
    foreign = sorted({*snapshot_folders(folder)} - {*readable_folders(folder)})
    others = [path for other in scenario_folders(folder.parent) if other != folder for path in snapshot_folders(other)]
    shown = pictures | shown_pictures([*kept, *(open_snapshot(path) for path in others if is_readable(path))])
    stored = [path for path in blobs.glob("[0-9a-f][0-9a-f]/*") if path.name not in shown]
    if not all(map(is_readable, others)):
        # What they show is not known, so no picture may go.
        stored = []
    return _Plan(
        kept=tuple(one.id for one in kept),
        snapshots=[
            *(one.folder for one in known if one not in kept),
            *(path for path in foreign if path.name not in named),
        ],
        drafts=[*drafts(folder), *(path for path in blobs.glob("*/.*") if path.stat().st_mtime < before)],
        parts=unused_parts(folder, kept),
        pictures=[path for path in stored if path.stat().st_mtime < before],
        cached=(),
    )


def _size(folder: Path, plan: _Plan) -> int:
    either = [folder_bytes(path) if path.is_dir() else path.stat().st_size for path in (*plan.drafts, *plan.cached)]
    return (
        sum(map(folder_bytes, plan.snapshots))
        + sum(either)
        + sum(stored_bytes(folder, name) for name in plan.parts)
        + sum(path.stat().st_size for path in plan.pictures)
    )


def _remove(folder: Path, plan: _Plan) -> None:
    for path in plan.snapshots:
        remove_snapshot(path)
    for draft in plan.drafts:
        remove_draft(draft)
    remove_parts(folder, plan.parts)
    for picture in plan.pictures:
        picture.unlink(missing_ok=True)
    for entry in plan.cached:
        remove_in_one_step(entry)


@contextlib.contextmanager
def every_scenario_locked(store: Path, progress: Progress) -> Iterator[None]:
    """Hold the locks of all scenarios, always in the same order: their pictures lie together."""
    with ExitStack() as stack:
        for folder in scenario_folders(store):
            said = functools.partial(progress.log, f"waiting: {folder.name} is being ingested")
            stack.enter_context(locked(store / f".{folder.name}.lock", waiting=said))
        yield
