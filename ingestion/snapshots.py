"""Snapshots: immutable, validated versions of a scenario's data, named by their content."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.blobs import BlobStore
from ingestion.ingested import IngestedTable
from ingestion.manifest import snapshot_id, snapshot_manifest
from ingestion.picture_intake import PictureIntake
from ingestion.quarantine import QuarantinedRow, counted, listed, quarantine_table
from ingestion.reports import SnapshotReport, TableReport, table_report
from ingestion.sources import TableSource
from ingestion.tables import ingest_table
from polyloom.durable import file_digest, locked, publish_folder, read_json, replace_file, write_json
from polyloom.errors import DataError, IntegrityError, QuarantineError
from polyloom.progress import SILENT, Progress

MANIFEST = "manifest.json"
POINTER = "current.json"
QUARANTINE = "quarantine.parquet"
REFUSED = "refused.parquet"

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
        ingested = [
            ingest_table(
                source,
                targets=rare_labels.get(source.name, ()),
                fractions=fractions,
                seed=seed,
                pictures=PictureIntake(
                    blobs=blob_store, checked=blobs / "checked" / f"{scenario}.{source.name}.json", progress=progress
                ),
                progress=progress,
            )
            for source in tables
        ]
        _stop_when_too_many(ingested, max_share=max_share, refused=folder / REFUSED)
        blob_store.sync()
        return _publish(folder, scenario, ingested)


def open_snapshot(folder: Path) -> "Snapshot":
    """The snapshot in a folder. Raises IntegrityError when there is no whole snapshot."""
    try:
        manifest = read_json(folder / MANIFEST)
    except (OSError, ValueError) as error:
        raise IntegrityError(
            f"{folder} holds no snapshot: {MANIFEST} cannot be read ({error}). Ingest again."
        ) from error
    return Snapshot(folder=folder, id=manifest["id"], manifest=manifest)


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

    def table(self, name: str) -> pa.Table:
        """The kept rows of a table."""
        known = self.manifest["tables"]
        if name not in known:
            raise DataError(f"the snapshot has no table {name!r}. Tables there: {', '.join(known)}.")
        return self._read(f"{name}.parquet")

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


def _stop_when_too_many(tables: Sequence[IngestedTable], *, max_share: float, refused: Path) -> None:
    for table in tables:
        share = len(table.quarantined) / len(table.rows)
        if share <= max_share and table.kept:
            continue
        _write_refused(refused, [row for one in tables for row in one.quarantined])
        counts = (
            f"{len(table.quarantined)} of {len(table.rows)} rows were refused ({listed(counted(table.quarantined))})"
        )
        where = f"They are listed in {refused}"
        if share > max_share:
            raise QuarantineError(
                f"data.{table.name}: {counts}, more than quarantine.max_share {max_share:g} allows. "
                f"{where}; repair the source, or raise quarantine.max_share."
            )
        raise DataError(f"data.{table.name}: {counts}, so no row is left. {where}; repair the source.")
    refused.unlink(missing_ok=True)


def _write_refused(path: Path, rows: Iterable[QuarantinedRow]) -> None:
    buffer = pa.BufferOutputStream()
    pq.write_table(quarantine_table(rows), buffer)
    replace_file(path, buffer.getvalue().to_pybytes())


def _publish(folder: Path, scenario: str, tables: Sequence[IngestedTable]) -> SnapshotReport:
    identity = snapshot_id(tables)
    target = folder / identity
    created = not target.exists()
    reports = {table.name: table_report(table) for table in tables}
    if created:
        with publish_folder(target) as draft:
            for table in tables:
                pq.write_table(table.arrow(), draft / f"{table.name}.parquet", compression="zstd")
            pq.write_table(quarantine_table(row for table in tables for row in table.quarantined), draft / QUARANTINE)
            write_json(draft / MANIFEST, snapshot_manifest(identity, scenario, tables, reports, draft))
    write_json(folder / POINTER, {"id": identity})
    return SnapshotReport(id=identity, folder=target, created=created, tables=reports)
