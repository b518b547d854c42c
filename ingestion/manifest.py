"""What a snapshot says about itself: its id, which its content gives, and its manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from ingestion.assembled import AssembledTable
from ingestion.part_making import FORMAT
from ingestion.quarantine import QUARANTINE_SCHEMA
from ingestion.reports import TableReport
from ingestion.row_sums import added
from ingestion.sources import SPLITS
from ingestion.views import View
from polyloom.durable import file_digest, json_digest


def snapshot_id(
    tables: Mapping[str, AssembledTable],
    views: Mapping[str, Sequence[View]],
    quarantine: pa.Table,
    reports: Mapping[str, TableReport],
) -> str:
    """A hash of the content: the same rows give the same id, in whatever order and whenever."""
    refused = _refused_lines(quarantine)
    described = {
        name: {
            "columns": dict(table.read.schema.kinds),
            "rows_available": reports[name].rows_available,
            "kept": [sum(view.rows for view in views[name]), added([view.content for view in views[name]])],
            "refused": json_digest(sorted(refused.get(name, []))),
        }
        for name, table in tables.items()
    }
    return json_digest({"format": FORMAT, "tables": described})


def snapshot_manifest(
    identity: str,
    scenario: str,
    tables: Mapping[str, AssembledTable],
    views: Mapping[str, Sequence[View]],
    reports: Mapping[str, TableReport],
    *,
    extra: Mapping[str, Mapping[str, object]],
    draft: Path,
) -> dict[str, object]:
    """The manifest of the snapshot whose files lie in `draft`; `extra` goes into each table's entry."""
    described = {}
    for name, table in tables.items():
        report = reports[name]
        described[name] = {
            "rows_available": report.rows_available,
            "rows_in": report.rows_in,
            "rows_kept": report.rows_kept,
            "rows_quarantined": report.rows_quarantined,
            "reasons": dict(report.reasons),
            "splits": split_counts(views[name]),
            "columns": dict(table.read.schema.kinds),
            "columns_ignored": list(report.columns_ignored),
            "image": table.read.source.image,
            "has_key": table.has_key,
            "boundaries": asdict(table.splits.boundaries) if table.splits.boundaries else None,
            "parts": [asdict(part) for part in table.read.parts],
            "views": [asdict(view) for view in views[name]],
            **extra[name],
        }
    return {
        "id": identity,
        "format": FORMAT,
        "scenario": scenario,
        "created": datetime.now(tz=UTC).isoformat(timespec="seconds"),
        "tables": described,
        "files": {path.name: file_digest(path) for path in sorted(draft.glob("*.parquet"))},
    }


def split_counts(views: Sequence[View]) -> dict[str, int]:
    """How many rows there are in each split that has any."""
    counts = (sum(view.splits[code] for view in views) for code in range(len(SPLITS)))
    return {split: count for split, count in sorted(zip(SPLITS, counts, strict=True)) if count}


def _refused_lines(quarantine: pa.Table) -> dict[str, list[list[str]]]:
    """By table: what an id takes from refused rows, which is not their line numbers."""
    lines: dict[str, list[list[str]]] = {}
    names = [name for name in QUARANTINE_SCHEMA.names if name in {"source", "key", "reason", "content"}]
    for row in quarantine.to_pylist():
        lines.setdefault(row["table"], []).append([row[name] for name in names])
    return lines
