"""`polyloom quarantine`: refused rows looked at, exported, replayed."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli_errors import Guarded
from flows.cli_options import AS_JSON, SCENARIO
from flows.cli_output import emit, table
from polyloom.errors import RequestError

if TYPE_CHECKING:
    from ingestion.quarantine_view import Quarantine

TABLE = click.option("--table", "table_name", help="Only rows of this table.")
REASON = click.option("--reason", help="Only rows with this reason, such as wrong_type.")
SOURCE = click.option("--source", help="Only rows from this source, such as items.csv.")


@click.group(cls=Guarded)
@SCENARIO
@click.pass_context
def quarantine(context: click.Context, scenario: str) -> None:
    """Look at refused rows, export them, and replay them once they are repaired."""
    context.obj = scenario


@quarantine.command("list")
@TABLE
@REASON
@SOURCE
@click.option("--offset", default=0, show_default=True, help="Rows to skip.")
@click.option("-n", "--limit", default=20, show_default=True, help="Rows to show.")
@AS_JSON
@click.pass_obj
def list_rows(
    scenario: str,
    table_name: str | None,
    reason: str | None,
    source: str | None,
    offset: int,
    limit: int,
    *,
    as_json: bool,
) -> None:
    """Show how many rows each reason refused, and a page of them."""
    name, found = chosen(scenario, table_name, reason, source)
    rows = [asdict(row) for row in found.page(offset=offset, limit=limit)]
    if as_json:
        emit({"scenario": name, "of": found.origin, "total": len(found), "counts": found.counts(), "rows": rows})
        return
    table(found.counts(), title=f"{name}: quarantine of {found.origin}", columns=["table", "reason", "rows"])
    table(rows, title=f"{len(rows)} of {len(found)} rows", columns=["id", "table", "source", "row", "key", "message"])
    if rows:
        click.echo(
            f"next      polyloom quarantine {scenario} show {rows[0]['id']}    "
            f"polyloom quarantine {scenario} export refused.csv"
        )


@quarantine.command()
@click.argument("row_id", metavar="ID")
@AS_JSON
@click.pass_obj
def show(scenario: str, row_id: str, *, as_json: bool) -> None:
    """Show one row with its original content."""
    row = chosen(scenario)[1].row(row_id)
    if as_json:
        emit({**asdict(row), "values": row.values})
        return
    click.echo(f"{row.table}, {row.source}, row {row.row}{f', key {row.key!r}' if row.key else ''}")
    click.echo(f"{row.reason}: {row.message}")
    if row.values is None:
        click.echo(row.content)
    else:
        cells = [{"column": name, "value": value} for name, value in row.values.items()]
        table(cells, title="as the source has it", columns=["column", "value"])


@quarantine.command()
@click.argument("path", type=click.Path(path_type=Path))
@TABLE
@REASON
@SOURCE
@AS_JSON
@click.pass_obj
def export(
    scenario: str, path: Path, table_name: str | None, reason: str | None, source: str | None, *, as_json: bool
) -> None:
    """Write refused rows with their own columns to a CSV, JSONL or Parquet file, to be repaired there."""
    from ingestion.quarantine_export import export_quarantine

    name, found = chosen(scenario, table_name, reason, source)
    rows = export_quarantine(found, path)
    facts = {"scenario": name, "path": str(path), "rows": rows}
    after = f"Repair them there, then: polyloom quarantine {scenario} replay {path}"
    emit(facts) if as_json else click.echo(f"Wrote {rows:,} rows to {path}. {after}")


@quarantine.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--id", "row_ids", multiple=True, metavar="ID", help="Replay this row as it is.")
@TABLE
@REASON
@SOURCE
@AS_JSON
@click.pass_obj
def replay(
    scenario: str,
    path: Path | None,
    row_ids: Sequence[str],
    table_name: str | None,
    reason: str | None,
    source: str | None,
    *,
    as_json: bool,
) -> None:
    """Have the next ingestion read repaired rows of an export, or rows as they are, in the place of refused ones."""
    from flows.console import console_progress
    from flows.ingested import scenario_folder
    from ingestion.replaying import replay_again, replay_file

    filters = (table_name, reason, source)
    if (path is None) == (not row_ids and not any(filters)):
        raise RequestError(
            "give the repaired file, or say which rows to read again as they are: --id, --table, --reason or --source."
        )
    name, found = chosen(scenario, *filters)
    folder, progress = scenario_folder(name), console_progress()
    if path is not None:
        report = replay_file(folder, path, progress=progress)
    else:
        rows = [found.row(one) for one in row_ids] if row_ids else list(found)
        report = replay_again(folder, rows, progress=progress)
    if as_json:
        emit({"scenario": name, **asdict(report)})
        return
    told = f"{report.replayed:,} rows are replayed by the next ingestion"
    rest = [
        (report.known, "replayed so before"),
        (report.unchanged, "unchanged"),
        (report.unreadable, "without columns"),
    ]
    click.echo(", ".join([told, *(f"{count:,} {what}" for count, what in rest if count)]) + ".")
    if report.replayed:
        click.echo(f"next      polyloom ingest {scenario}")


def chosen(
    scenario: str, table_name: str | None = None, reason: str | None = None, source: str | None = None
) -> tuple[str, "Quarantine"]:
    """A scenario's name and the rows of its quarantine that were asked for."""
    from flows.ingested import scenario_folder
    from flows.scenario_name import scenario_name
    from ingestion.quarantine_view import open_quarantine

    name = scenario_name(scenario)
    found = open_quarantine(scenario_folder(name))
    return name, found.select(table=table_name, reason=reason, source=source)
