"""What a snapshot says about itself: its id, which its content gives, and its manifest."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ingestion.ingested import IngestedTable
from ingestion.reports import TableReport
from polyloom.durable import file_digest, json_digest

FORMAT = 1


def snapshot_id(tables: Sequence[IngestedTable]) -> str:
    """SHA-256 of the content: the same rows give the same id, in whatever order and whenever."""
    return json_digest({"format": FORMAT, "tables": {table.name: _content(table) for table in tables}})


def snapshot_manifest(
    identity: str, scenario: str, tables: Sequence[IngestedTable], reports: Mapping[str, TableReport], draft: Path
) -> dict[str, object]:
    """The manifest of the snapshot whose tables lie in `draft`."""
    described = {}
    for table in tables:
        report = reports[table.name]
        described[table.name] = {
            "rows_available": report.rows_available,
            "rows_in": report.rows_in,
            "rows_kept": report.rows_kept,
            "rows_quarantined": report.rows_quarantined,
            "reasons": dict(report.reasons),
            "splits": dict(sorted(Counter(row.split for row in table.kept).items())),
            "columns": dict(table.schema.kinds),
            "columns_ignored": list(report.columns_ignored),
        }
    return {
        "id": identity,
        "format": FORMAT,
        "scenario": scenario,
        "created": datetime.now(tz=UTC).isoformat(timespec="seconds"),
        "tables": described,
        "files": {path.name: file_digest(path) for path in sorted(draft.glob("*.parquet"))},
    }


def _content(table: IngestedTable) -> dict[str, object]:
    """What an id rests on: the kept rows in any order, and the refused ones without their line numbers."""
    kept = sorted(f"{row.key}\0{row.split}\0{row.content_hash}" for row in table.kept)
    refused = sorted(f"{row.source}\0{row.key}\0{row.reason}\0{row.content}" for row in table.quarantined)
    return {
        "columns": dict(table.schema.kinds),
        "rows_available": table.rows_available,
        "kept": hashlib.sha256("\n".join(kept).encode()).hexdigest(),
        "refused": hashlib.sha256("\n".join(refused).encode()).hexdigest(),
    }
