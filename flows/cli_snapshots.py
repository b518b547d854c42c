"""`polyloom snapshots`: snapshots listed, compared, collected; a row traced to its source."""

from dataclasses import asdict
from pathlib import Path

import click

from flows.cli_errors import Guarded
from flows.cli_options import AS_JSON, SCENARIO
from flows.cli_output import emit, table
from polyloom.errors import RequestError


@click.group(cls=Guarded)
@SCENARIO
@click.pass_context
def snapshots(context: click.Context, scenario: str) -> None:
    """List and compare snapshots, remove old ones, trace a row to its source."""
    context.obj = scenario


@snapshots.command("list")
@AS_JSON
@click.pass_obj
def list_snapshots(scenario: str, *, as_json: bool) -> None:
    """List the snapshots, newest first, with the bytes that each alone holds."""
    from ingestion.history import list_snapshots as entries

    name, folder = ingested(scenario)
    found = [asdict(entry) for entry in entries(folder)]
    if as_json:
        emit(found)
        return
    shown = [
        {
            **entry,
            "id": entry["id"][:12],
            "current": "current" if entry["current"] else "",
            "alone": size(entry["bytes_alone"]),
        }
        for entry in found
    ]
    columns = ["id", "created", "current", "rows_in", "rows_kept", "rows_quarantined", "alone"]
    table(shown, title=f"{name}: snapshots", columns=columns)


@snapshots.command("diff")
@click.argument("old")
@click.argument("new", default="current")
@AS_JSON
@click.pass_obj
def diff_snapshots(scenario: str, old: str, new: str, *, as_json: bool) -> None:
    """Compare snapshot OLD with NEW (the current one): rows by key, refused rows, schema."""
    from ingestion.history import find_snapshot
    from ingestion.snapshot_diff import diff

    _, folder = ingested(scenario)
    found = asdict(diff(find_snapshot(folder, old), find_snapshot(folder, new)))
    if as_json:
        emit(found)
        return
    title = f"{found['old'][:12]} to {found['new'][:12]}"
    table(found["tables"], title=title, columns=["table", "added", "removed", "changed", "moved"])
    for entry in found["tables"]:
        for what, keys in entry["examples"].items():
            click.echo(f"{entry['table']}: {what} {', '.join(keys)}")
    for what, rows in (("newly refused", found["quarantined"]), ("refused no more", found["released"])):
        for row in rows:
            click.echo(f"{row['table']}: {what} {row['rows']:,} x {row['reason']}")
    for drift in found["schema"]:
        click.echo(f"{drift['table']}: {drift['message']}")


@snapshots.command()
@click.option("--keep", default=3, show_default=True, help="How many of the newest snapshots stay.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@AS_JSON
@click.pass_obj
def gc(scenario: str, keep: int, *, dry_run: bool, as_json: bool) -> None:
    """Remove old snapshots that no release names, with their parts, pictures and cached sources."""
    from flows.console import console_progress
    from flows.released_rows import named_snapshots, released_pictures
    from ingestion.collection import collect
    from polyloom.home import home

    name, folder = ingested(scenario)
    done = collect(
        folder,
        blobs=home() / "blobs",
        cache=home() / "cache",
        keep=keep,
        named=named_snapshots(name),
        pictures=released_pictures(),
        dry_run=dry_run,
        progress=console_progress(),
    )
    if as_json:
        emit(asdict(done))
        return
    verb = "Would remove" if dry_run else "Removed"
    click.echo(
        f"{verb} {len(done.snapshots):,} snapshots, {done.parts:,} parts, {done.pictures:,} pictures, "
        f"{done.cached:,} cached sources, {done.drafts:,} drafts: {size(done.bytes)}. "
        f"{len(done.kept):,} snapshots stay."
    )


@snapshots.command()
@click.argument("key")
@AS_JSON
@click.pass_obj
def lineage(scenario: str, key: str, *, as_json: bool) -> None:
    """Trace the rows with KEY to their source and line, and to the snapshot since which they are so."""
    from ingestion.history import lineage as origins

    _, folder = ingested(scenario)
    found = [asdict(origin) for origin in origins(folder, key)]
    if as_json:
        emit(found)
        return
    shown = [
        {
            **row,
            "since": f"{row['since'][:12]} ({row['since_created']})",
            "part": (row["part"] or "")[:12],
            "state": row["reason"] or row["split"],
        }
        for row in found
    ]
    table(shown, title=key, columns=["table", "source", "row", "state", "since", "part"])


def ingested(scenario: str) -> tuple[str, Path]:
    """The name and the snapshot folder of a scenario. Raises RequestError when it was never ingested."""
    from flows.scenario_name import scenario_name
    from polyloom.home import home

    name = scenario_name(scenario)
    folder = home() / "snapshots" / name
    if not (folder / "current.json").is_file():
        raise RequestError(f"{name} was never ingested. Next: polyloom ingest {scenario}")
    return name, folder


def size(count: int) -> str:
    """Bytes as people read them."""
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:,.0f} {unit}"
        count /= 1024  # type: ignore[assignment]
    return f"{count:,.1f} GiB"
