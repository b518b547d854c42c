"""Sources to a snapshot."""

from typing import Any

from flows.assembly import rare_labels, table_sources
from flows.scenario_file import LoadedData
from ingestion.snapshots import SnapshotReport, take_snapshot
from polyloom.home import home
from polyloom.progress import Progress


def ingest(loaded: LoadedData, *, progress: Progress) -> SnapshotReport:
    """Take a snapshot of everything that the scenario names."""
    scenario = loaded.scenario
    return take_snapshot(
        scenario=scenario.name,
        tables=table_sources(scenario, beside=loaded.path.parent),
        store=home() / "snapshots",
        blobs=home() / "blobs",
        max_share=scenario.quarantine.max_share,
        fractions={"validation": scenario.splits.validation, "test": scenario.splits.test},
        seed=scenario.splits.seed,
        rare_labels=rare_labels(scenario),
        progress=progress,
    )


def snapshot_summary(report: SnapshotReport) -> dict[str, Any]:
    """The report as JSON: totals, and for each table its rows and reasons."""
    return {
        "id": report.id,
        "rows_in": report.rows_in,
        "rows_kept": report.rows_kept,
        "rows_quarantined": report.rows_quarantined,
        "tables": {
            name: {
                "rows_in": table.rows_in,
                "rows_kept": table.rows_kept,
                "rows_quarantined": table.rows_quarantined,
                "reasons": dict(table.reasons),
                "columns_ignored": list(table.columns_ignored),
            }
            for name, table in report.tables.items()
        },
    }
