"""Snapshots: immutable, validated versions of a scenario's data, named by their content."""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.assembled import AssembledTable
from ingestion.assembling import Assembling
from ingestion.blobs import BlobStore
from ingestion.caches import note_used
from ingestion.manifest import snapshot_id, snapshot_manifest
from ingestion.masking import note_masks
from ingestion.part_making import FORMAT
from ingestion.parts import PartStore
from ingestion.profile import merge
from ingestion.quarantine import QUARANTINE_SCHEMA, listed
from ingestion.reports import SnapshotReport, TableReport
from ingestion.seeing import seen
from ingestion.sources import TableSource
from ingestion.splits import Boundaries
from ingestion.views import INTERNAL, View, known_views, parts_and_views, viewed
from polyloom.durable import file_digest, json_line, locked, publish_folder, read_json, replace_file, write_json
from polyloom.errors import DataError, IntegrityError, QuarantineError
from polyloom.home import home
from polyloom.progress import SILENT, Progress

MANIFEST = "manifest.json"
POINTER = "current.json"
QUARANTINE = "quarantine.parquet"
REFUSED = "refused.parquet"
PARTS = "parts"

__all__ = ["Snapshot", "SnapshotReport", "TableReport", "current_snapshot", "open_snapshot", "take_snapshot"]


def take_snapshot(
    *,
    scenario: str,
    tables: Sequence[TableSource],
    store: Path,
    blobs: Path,
    max_share: float,
    fractions: Mapping[str, float],
    seed: int,
    rare_labels: Mapping[str, Sequence[str]],
    progress: Progress = SILENT,
) -> SnapshotReport:
    """Read every source, keep what is valid, and publish it as the scenario's current snapshot.

    `fractions` are the shares of `validation` and `test`, each cut only where a source does not give it.
    `rare_labels` maps a table to the columns that its tasks predict.

    Raises:
        RequestError: a source is missing or declared in a way that cannot be.
        DataError: a source cannot be read at all, lacks a declared column, or keeps no row.
        QuarantineError: of one table a larger share than `max_share` was refused; nothing was published.
    """
    folder = store / scenario
    blob_store = BlobStore(blobs)
    with locked(
        store / f".{scenario}.lock",
        waiting=lambda: progress.log(f"waiting: {scenario} is being ingested by another run"),
    ):
        _sweep(folder)
        before = _tables_before(folder)
        assembling = Assembling(
            scenario=scenario,
            folder=folder,
            parts=PartStore(folder / PARTS),
            blobs=blob_store,
            checked=blobs / "checked",
            rare_labels=rare_labels,
            fractions=fractions,
            seed=seed,
            boundaries={
                name: Boundaries(**told["boundaries"]) for name, told in before.items() if told.get("boundaries")
            },
            progress=progress,
        )
        try:
            assembled, quarantined = assembling.tables(tables)
            note_masks(folder, {name: table.read.schema.masking for name, table in assembled.items()})
            refused = {name: found.rows for name, found in quarantined.items()}
            reports = {name: _report(table, refused[name]) for name, table in assembled.items()}
            _stop_when_too_many(reports, refused, max_share=max_share, refused=folder / REFUSED)
            known = known_views(before.values())
            views = {name: seen(table, known) for name, table in assembled.items()}
        finally:
            # Where this stops, too: what was checked need not be checked again.
            assembling.parts.sync()
        blob_store.sync()
        published = _publish(folder, scenario, assembled, views, pa.concat_tables(refused.values()), reports)
        note_used(folder, [table.read for table in assembled.values()], cache=home() / "cache")
        return published


def open_snapshot(folder: Path) -> "Snapshot":
    """The snapshot in a folder. Raises IntegrityError when there is no whole snapshot, or one of another version."""
    manifest = _manifest(folder)
    if manifest["format"] != FORMAT:
        raise IntegrityError(
            f"{folder} was written by another version of polyloom: it has format {manifest['format']}, this one reads "
            f"{FORMAT}. Ingest once more; then `polyloom snapshots {folder.parent.name} gc` removes it."
        )
    return Snapshot(folder=folder, id=manifest["id"], manifest=manifest)


def is_readable(folder: Path) -> bool:
    """Whether the snapshot in a folder is of this version's format."""
    return bool(_manifest(folder)["format"] == FORMAT)


def current_snapshot(store: Path, scenario: str) -> Path | None:
    """The folder of a scenario's current snapshot, or None when it was never ingested."""
    pointer = store / scenario / POINTER
    return store / scenario / str(read_json(pointer)["id"]) if pointer.exists() else None


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A snapshot on disk; every file is checked against its recorded SHA-256 when it is read."""

    folder: Path
    id: str
    manifest: Mapping[str, Any]

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """The kept rows of a table; `columns` None means all. Raises IntegrityError for a changed file."""
        pieces = list(self.batches(name, columns))
        return pa.concat_tables(pieces) if pieces else self._empty(name, columns)

    def batches(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The kept rows of a table, some thousands at a time."""
        described = self._described(name)
        return viewed(described, parts_and_views(described), PartStore(self.folder.parent / PARTS), columns)

    def _described(self, name: str) -> Mapping[str, Any]:
        known = self.manifest["tables"]
        if name not in known:
            raise DataError(f"the snapshot has no table {name!r}. Tables there: {', '.join(known)}.")
        found: Mapping[str, Any] = known[name]
        return found

    def _empty(self, name: str, columns: Sequence[str] | None) -> pa.Table:
        described = self._described(name)
        names = [*described["columns"], *INTERNAL] if columns is None else list(columns)
        return pa.table({column: pa.nulls(0) for column in names})

    def quarantine(self) -> pa.Table:
        """The refused rows of all tables."""
        return self._read(QUARANTINE)

    def _read(self, name: str) -> pa.Table:
        path = self.folder / name
        expected = self.manifest["files"][name]
        if not path.exists() or file_digest(path) != expected:
            raise IntegrityError(f"{path} is not what its snapshot recorded (SHA-256 {expected}). Ingest again.")
        return pq.read_table(path)


def _sweep(folder: Path) -> None:
    """Remove the drafts of runs that were killed."""
    for draft in folder.glob(".*"):
        if draft.is_dir():
            shutil.rmtree(draft)
        else:
            draft.unlink()


def _profile(table: AssembledTable) -> dict[str, Any]:
    """What the columns look like, over all rows that the parts kept."""
    return merge([table.store.profile(part) for part in table.read.parts])


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = read_json(folder / MANIFEST)
    except (OSError, ValueError) as error:
        raise IntegrityError(
            f"{folder} holds no snapshot: {MANIFEST} cannot be read ({error}). Ingest again."
        ) from error
    return manifest


def _tables_before(folder: Path) -> dict[str, Any]:
    """The tables of the current snapshot as its manifest describes them, whichever version wrote it."""
    pointer = folder / POINTER
    return dict(_manifest(folder / str(read_json(pointer)["id"]))["tables"]) if pointer.exists() else {}


def _report(table: AssembledTable, quarantined: pa.Table) -> TableReport:
    kept = int(np.count_nonzero(table.is_kept()))
    return TableReport(
        rows_in=kept + quarantined.num_rows,
        rows_kept=kept,
        rows_quarantined=quarantined.num_rows,
        rows_available=len(table.chosen) + len(table.refused_chosen) - table.replaced,
        rows_forgotten=sum(part.forgotten for part in table.read.parts),
        reasons=dict(sorted(Counter(quarantined["reason"].to_pylist()).items())),
        columns_ignored=table.read.columns_ignored,
        parts=len(table.read.parts),
        parts_reused=table.read.reused,
    )


def _stop_when_too_many(
    reports: Mapping[str, TableReport], quarantined: Mapping[str, pa.Table], *, max_share: float, refused: Path
) -> None:
    for name, report in reports.items():
        share = report.rows_quarantined / max(report.rows_in, 1)
        # Only what came back from serving may hold nothing at all.
        is_empty = not (report.rows_in or report.rows_forgotten)
        if share <= max_share and (report.rows_kept or is_empty):
            continue
        _write_refused(refused, quarantined.values())
        counts = f"{report.rows_quarantined} of {report.rows_in} rows were refused ({listed(report.reasons)})"
        where = f"They are listed in {refused}"
        if share > max_share:
            raise QuarantineError(
                f"data.{name}: {counts}, more than quarantine.max_share {max_share:g} allows. "
                f"{where}; repair the source, or raise quarantine.max_share."
            )
        raise DataError(f"data.{name}: {counts}, so no row is left. {where}; repair the source.")
    refused.unlink(missing_ok=True)


def _write_refused(path: Path, tables: Iterable[pa.Table]) -> None:
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.concat_tables(tables), buffer)
    replace_file(path, buffer.getvalue().to_pybytes())


def _publish(
    folder: Path,
    scenario: str,
    tables: Mapping[str, AssembledTable],
    views: Mapping[str, Sequence[View]],
    quarantine: pa.Table,
    reports: Mapping[str, TableReport],
) -> SnapshotReport:
    identity = snapshot_id(tables, views, quarantine, reports)
    target = folder / identity
    created = not target.exists()
    if created:
        with publish_folder(target) as draft:
            pq.write_table(quarantine.cast(QUARANTINE_SCHEMA), draft / QUARANTINE)
            extra = {name: {"profile": _profile(table)} for name, table in tables.items()}
            manifest = snapshot_manifest(identity, scenario, tables, views, reports, extra=extra, draft=draft)
            (draft / MANIFEST).write_bytes(json_line(manifest))
    if current_snapshot(folder.parent, folder.name) != target:
        write_json(folder / POINTER, {"id": identity})
    return SnapshotReport(id=identity, folder=target, created=created, tables=reports)
