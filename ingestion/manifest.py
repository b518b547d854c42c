"""What a snapshot says about itself: its id, which its content gives, and its manifest."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from ingestion.assembled import AssembledTable
from ingestion.hashing import hash_bytes
from ingestion.quarantine import QUARANTINE_SCHEMA
from ingestion.reports import TableReport
from ingestion.sources import SPLITS
from ingestion.tables import FORMAT
from polyloom.durable import file_digest, json_digest


def snapshot_id(tables: Mapping[str, AssembledTable], quarantine: pa.Table, reports: Mapping[str, TableReport]) -> str:
    """SHA-256 of the content: the same rows give the same id, in whatever order and whenever."""
    refused = _refused_lines(quarantine)
    described = {
        name: {
            "columns": dict(table.read.schema.kinds),
            "rows_available": reports[name].rows_available,
            "kept": _kept_digest(table),
            "refused": json_digest(sorted(refused.get(name, []))),
        }
        for name, table in tables.items()
    }
    return json_digest({"format": FORMAT, "tables": described})


def snapshot_manifest(
    identity: str,
    scenario: str,
    tables: Mapping[str, AssembledTable],
    reports: Mapping[str, TableReport],
    *,
    extra: Mapping[str, Mapping[str, object]],
    draft: Path,
) -> dict[str, object]:
    """The manifest of the snapshot whose files lie in `draft`; `extra` goes into each table's entry."""
    described = {}
    for name, table in tables.items():
        report = reports[name]
        counts = np.bincount(table.splits[table.kept()], minlength=len(SPLITS))
        described[name] = {
            "rows_available": report.rows_available,
            "rows_in": report.rows_in,
            "rows_kept": report.rows_kept,
            "rows_quarantined": report.rows_quarantined,
            "reasons": dict(report.reasons),
            "splits": {split: int(count) for split, count in sorted(zip(SPLITS, counts, strict=True)) if count},
            "columns": dict(table.read.schema.kinds),
            "columns_ignored": list(report.columns_ignored),
            "image": table.read.source.image,
            "has_key": table.has_key,
            "boundaries": asdict(table.boundaries) if table.boundaries else None,
            "parts": [asdict(part) for part in table.read.parts],
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


def _kept_digest(table: AssembledTable) -> str:
    """One hash over identity, content and split of the kept rows, in the order of these."""
    rows = table.by_identity(table.kept())
    words = np.ascontiguousarray(hash_bytes(table.hashes(rows))).view(np.uint64).reshape(-1, 2)
    columns = [table.identity[rows], words[:, 0], words[:, 1], table.splits[rows].astype(np.uint64)]
    if (columns[0][1:] == columns[0][:-1]).any():
        order = np.lexsort(columns[::-1])
        columns = [column[order] for column in columns]
    content = hashlib.sha256()
    for column in columns:
        content.update(np.ascontiguousarray(column).data)
    return content.hexdigest()


def _refused_lines(quarantine: pa.Table) -> dict[str, list[list[str]]]:
    """By table: what an id takes from refused rows, which is not their line numbers."""
    lines: dict[str, list[list[str]]] = {}
    names = [name for name in QUARANTINE_SCHEMA.names if name in {"source", "key", "reason", "content"}]
    for row in quarantine.to_pylist():
        lines.setdefault(row["table"], []).append([row[name] for name in names])
    return lines
