"""The commands around ingestion: `ingest` and `forget` here, `quarantine` and `snapshots` in files of their own."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from flows.cli_options import AS_JSON, SCENARIO
from flows.cli_output import emit, table
from flows.cli_quarantine import quarantine
from flows.cli_snapshots import snapshots
from polyloom.errors import RequestError


@click.command()
@click.argument("scenario", required=False)
@click.option(
    "--infer", "inferred", type=click.Path(path_type=Path), metavar="PATH", help="Propose a scenario for data."
)
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override, such as splits.seed=3.")
@click.option("--no-wait", is_flag=True, help="Refuse instead of waiting for another ingestion of the scenario.")
@click.option("--watch", is_flag=True, help="Stay, and ingest again whenever a source changes.")
@click.option("--every", default=10.0, show_default=True, help="Seconds between two looks of --watch.")
@AS_JSON
def ingest(
    scenario: str | None,
    inferred: Path | None,
    overrides: Sequence[str],
    every: float,
    *,
    no_wait: bool,
    watch: bool,
    as_json: bool,
) -> None:
    """Take a snapshot of a scenario's sources, or propose a scenario with --infer."""
    if (scenario is None) == (inferred is None):
        raise RequestError("give a SCENARIO to ingest, or --infer PATH to have one proposed; one of the two.")
    if inferred is not None:
        propose(inferred, as_json=as_json)
        return
    from flows.console import console_progress
    from flows.ingesting import ingest_scenario, watch_scenario

    given, progress = str(scenario), console_progress()
    if not watch:
        show_ingestion(
            ingest_scenario(given, overrides=overrides, wait=not no_wait, progress=progress), as_json=as_json
        )
        return
    for result in watch_scenario(given, overrides=overrides, every_seconds=every, progress=progress):
        show_ingestion(result, as_json=as_json)


@click.command()
@SCENARIO
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@AS_JSON
def forget(scenario: str, ids: Sequence[str], *, as_json: bool) -> None:
    """Remove items by key from snapshots, quarantine, pictures and caches; list the releases that learned from them."""
    from flows.console import console_progress
    from flows.forgetting import forget_items

    result = forget_items(scenario, list(ids), progress=console_progress())
    if as_json:
        emit(result)
        return
    removed = result["removed"]
    rows = [{"what": f"rows of {name}", "removed": count} for name, count in removed.pop("rows").items()]
    rows += [{"what": name.replace("_", " "), "removed": count} for name, count in removed.items()]
    table(rows, title=f"{result['scenario']}: forgotten", columns=["what", "removed"])
    for place in result["sources"]:
        click.echo(f"source    {place} still holds it; no ingestion reads it again, but take it out there too")
    if result["releases"]:
        columns = ["version", "aliases", "digest", "why"]
        shown = [
            {**one, "aliases": ", ".join(one["aliases"]), "digest": one["digest"][:12]} for one in result["releases"]
        ]
        table(shown, title="releases, which are left as they are; no search finds it in them", columns=columns)
        click.echo(
            f"next      polyloom run {scenario}    makes a release without it; MLflow keeps what older runs logged"
        )
    else:
        click.echo("releases  none holds it or learned from it")


COMMANDS = (ingest, quarantine, snapshots, forget)


def propose(path: Path, *, as_json: bool) -> None:
    """Print the scenario that a file or folder suggests."""
    from ingestion.infer import infer

    found = infer(path)
    if as_json:
        emit(asdict(found))
        return
    click.echo(found.text, nl=not found.text.endswith("\n"))
    if sys.stdout.isatty():
        click.echo(
            f"next      polyloom ingest --infer {path} > {found.name}.yaml    polyloom validate {found.name}.yaml"
        )


def show_ingestion(result: dict[str, Any], *, as_json: bool) -> None:
    """What an ingestion gave."""
    if as_json:
        emit(result)
        return
    data = result["snapshot"]
    rows = [{"table": name, **counts} for name, counts in data["tables"].items()]
    columns = ["table", "rows_in", "rows_kept", "rows_quarantined"]
    table(rows, title=f"{result['scenario']}: {result['status']} snapshot {data['id'][:12]}", columns=columns)
    for name, counts in data["tables"].items():
        for reason, count in counts["reasons"].items():
            click.echo(f"refused   {name}: {count:,} x {reason}")
    for finding in result["findings"]:
        if finding["severity"] != "info":
            click.echo(f"{finding['severity']:9} {finding['table']}: {finding['message']}")
    click.echo(f"card      {result['card']}")
    if data["rows_quarantined"]:
        click.echo(f"next      polyloom quarantine {result['scenario']} list    polyloom run {result['scenario']}")
    else:
        click.echo(f"next      polyloom run {result['scenario']}")
