"""The command `polyloom`. Heavy imports are late: `--help` answers at once."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from flows.cli_ask import ask
from flows.cli_bench import bench
from flows.cli_bundle import bundle
from flows.cli_errors import Guarded
from flows.cli_exposures import exposures
from flows.cli_feedback import feedback
from flows.cli_index import index
from flows.cli_ingestion import COMMANDS
from flows.cli_options import AS_JSON, SCENARIO
from flows.cli_output import emit, table
from flows.cli_recommend import recommend
from flows.cli_releases import RELEASE_COMMANDS
from flows.cli_replay import replay
from flows.cli_search import search
from flows.cli_serve import serve
from flows.cli_techniques import techniques
from flows.cli_tokens import tokens
from flows.cli_tune import tune
from polyloom.version import VERSION


@click.group(cls=Guarded, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="polyloom")
def main() -> None:
    """Images, text and tables: from raw files to one released, searchable, monitored application.

    Start with: polyloom init NAME, polyloom run NAME.yaml, polyloom ui.
    """


@main.command()
@SCENARIO
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override, such as recipe.epochs=3.")
@AS_JSON
def run(scenario: str, overrides: Sequence[str], *, as_json: bool) -> None:
    """Ingest, fit, calibrate, export, index, release, gate."""
    from flows.console import console_progress
    from flows.report import show_run
    from flows.running import run_or_help

    result = run_or_help(scenario, overrides=overrides, progress=console_progress())
    if result is None:
        return
    emit(result) if as_json else show_run(result)
    if result["status"] == "refused":
        sys.exit(3)


@main.command()
@SCENARIO
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override, such as recipe.epochs=3.")
@AS_JSON
def validate(scenario: str, overrides: Sequence[str], *, as_json: bool) -> None:
    """Check a scenario file without running it."""
    from flows.scenario_file import load_scenario
    from flows.validation import check_before_work

    loaded = load_scenario(scenario, overrides=overrides)
    check_before_work(loaded)
    facts = {"scenario": loaded.scenario.name, "path": str(loaded.path), "valid": True}
    emit(facts) if as_json else click.echo(f"{loaded.path}: valid. Next: polyloom run {scenario}")


@main.command()
@click.argument("name")
def init(name: str) -> None:
    """Write NAME.yaml, a commented scenario with a few rows of data that runs as it stands."""
    from flows.templates import write_scenario

    path = write_scenario(name, folder=Path())
    click.echo(f"Wrote {path} and {path.stem}.csv. Next: polyloom run {path}")


@main.command()
@AS_JSON
def scenarios(*, as_json: bool) -> None:
    """List the shipped scenarios and those that have a champion."""
    from flows.report import list_scenarios

    rows = list_scenarios()
    emit(rows) if as_json else table(rows, title="Scenarios", columns=["name", "title", "champion", "path"])


@main.group(cls=Guarded, invoke_without_command=True)
@click.pass_context
def datasets(context: click.Context) -> None:
    """List the data sets that polyloom knows, or fetch one."""
    if context.invoked_subcommand is None:
        from ingestion.datasets import catalogue

        rows = [
            {
                "name": listed.data_set.name,
                "title": listed.data_set.title,
                "licence": listed.data_set.licence,
                "kind": listed.data_set.kind,
                "found": str(listed.found) if listed.found else "-",
            }
            for listed in catalogue()
        ]
        table(rows, title="Data sets", columns=["name", "title", "licence", "kind", "found"])


@datasets.command()
@click.argument("name")
def fetch(name: str) -> None:
    """Download a public data set into the state folder, checked against known digests."""
    from flows.console import console_progress
    from ingestion.datasets import fetch as fetch_data_set

    click.echo(fetch_data_set(name, progress=console_progress()))


@main.command()
@SCENARIO
@click.option("--text", help="Words to judge.")
@click.option("--image", type=click.Path(path_type=Path), help="A picture to judge.")
@click.option("--input", "rows_file", type=click.Path(path_type=Path), help="JSONL: one row of columns a line.")
@click.option("--top", default=5, show_default=True, help="Probabilities to show for each task.")
@click.option("--explain", "is_explained", is_flag=True, help="Say what each answer rests on.")
@AS_JSON
def predict(
    scenario: str,
    text: str | None,
    image: Path | None,
    rows_file: Path | None,
    top: int,
    *,
    is_explained: bool,
    as_json: bool,
) -> None:
    """Ask SCENARIO[@ALIAS] for its answers, with calibrated probabilities."""
    from flows.asking import open_release, picture_bytes, read_rows
    from flows.explanation_lines import explanation_lines
    from flows.report import prediction_columns, prediction_rows, shown_prediction
    from releases.explaining import explain

    runtime = open_release(scenario)
    rows = read_rows(rows_file, runtime) if rows_file else [runtime.row(text=text, image=picture_bytes(image))]
    predictions = runtime.predict(rows, top=top)
    explanations = [explain(runtime, row) for row in rows] if is_explained else []
    if as_json:
        emit(
            {
                "release": runtime.digest,
                "predictions": [
                    shown_prediction(one, explanations[number] if is_explained else None)
                    for number, one in enumerate(predictions)
                ],
            }
        )
    else:
        shown = prediction_rows(predictions)
        table(shown, title=runtime.title, columns=prediction_columns(shown))
        for number, found in enumerate(explanations, start=1):
            click.echo("\n".join(explanation_lines(found, row=number)))


@main.command()
@SCENARIO
@click.option(
    "--flow", type=click.Choice(["train", "ingest", "index"]), default="train", show_default=True, help="Which flow."
)
@click.option("--schedule", metavar="CRON", help="When it runs, such as '0 3 * * *', instead of monitor.schedule.")
@AS_JSON
def deploy(scenario: str, flow: str, schedule: str | None, *, as_json: bool) -> None:
    """Register a flow of the scenario with its schedule on the Prefect server that is up."""
    from flows.deployments import deploy_scenario

    facts = deploy_scenario(scenario, flow=flow, schedule=schedule)
    when = f"runs on {facts['schedule']!r}" if facts["schedule"] else "has no schedule (monitor.schedule)"
    event = f" and when {facts['event']!r} is emitted for {facts['resource']!r}" if facts["event"] else ""
    emit(facts) if as_json else click.echo(f"{facts['name']} {when}{event}. See {facts['url']}")


SERVICES = click.argument("services", nargs=-1)


@main.command()
@SERVICES
def up(services: Sequence[str]) -> None:
    """Start Prefect, a worker, MLflow, the API and the page as local processes (or the ones named)."""
    from flows.console import console_progress
    from flows.services import up as start

    service_table(start(list(services) or None, progress=console_progress()))


@main.command()
@SERVICES
def down(services: Sequence[str]) -> None:
    """Stop them."""
    from flows.services import down as stop

    service_table(stop(list(services) or None))


@main.command()
@AS_JSON
def status(*, as_json: bool) -> None:
    """Show what runs, where, and since when."""
    from flows.services import status as look

    states = look()
    emit([vars(state) for state in states]) if as_json else service_table(states)


@main.command()
def ui() -> None:
    """Open the page, and say where it is."""
    from flows.console import console_progress
    from flows.services import up as start

    service_table(start(["page"], progress=console_progress()))


@main.command()
@click.option("--models", help="List encoders whose name holds this word.")
@AS_JSON
def doctor(models: str | None, *, as_json: bool) -> None:
    """Find what is known to break, and name the cure."""
    if models is not None:
        from flows.doctor.weights import matching_models
        from modalities.catalogue import picture_models

        names = matching_models(models, pictures=picture_models())
        emit(names) if as_json else click.echo("\n".join(names) or f"No known model has {models!r} in its name.")
        return
    from flows.doctor.diagnosis import diagnose

    findings = diagnose()
    rows = [{**vars(finding), "ok": "ok" if finding.ok else "BROKEN"} for finding in findings]
    emit([vars(finding) for finding in findings]) if as_json else table(
        rows, title="polyloom doctor", columns=["ok", "check", "found", "cure"]
    )
    if not all(finding.ok for finding in findings):
        sys.exit(1)


for command in (
    *COMMANDS,
    *RELEASE_COMMANDS,
    ask,
    bench,
    bundle,
    exposures,
    feedback,
    index,
    recommend,
    replay,
    search,
    serve,
    techniques,
    tokens,
    tune,
):
    main.add_command(command)


@main.command(hidden=True)
def demo() -> None:
    """Run the demo scenarios to released champions; `make demo` calls this."""
    from flows.console import console_progress
    from flows.demo import run_demo

    run_demo(progress=console_progress())


def service_table(states: Sequence[Any]) -> None:
    """Services as a table."""
    rows = [vars(state) for state in states]
    table(rows, title="Services", columns=["name", "state", "pid", "url", "log", "note"])


if __name__ == "__main__":
    main()
