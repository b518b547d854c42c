"""`polyloom tune`: settings searched for."""

from collections.abc import Sequence
from typing import Any

import click

from flows.cli_options import AS_JSON, SCENARIO
from flows.cli_output import emit, table

SHOWN = 10


@click.command()
@SCENARIO
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override, such as recipe.epochs=3.")
@click.option("--trials", type=click.IntRange(min=1), help="How many in all; of the scenario's `tune`, else 20.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Budget over all sessions.")
@AS_JSON
def tune(scenario: str, overrides: Sequence[str], trials: int | None, minutes: float | None, *, as_json: bool) -> None:
    """Search for better settings on the validation rows; what was interrupted goes on, nothing is tried twice."""
    from flows.console import console_progress
    from flows.tuning.running import tune_scenario

    limits = {name: value for name, value in (("trials", trials), ("minutes", minutes)) if value is not None}
    result = tune_scenario(scenario, overrides=overrides, limits=limits, progress=console_progress())
    emit(result) if as_json else show(result, scenario, overrides)


def show(result: dict[str, Any], scenario: str, overrides: Sequence[str]) -> None:
    """The best trials and what to do with them."""
    names = list(result["own"])
    ranked = sorted(result["trials"], key=lambda trial: (trial["metric"] is None, -(trial["metric"] or 0.0)))
    rows = [{**trial, **trial["settings"]} for trial in ranked[:SHOWN]]
    settings = list(dict.fromkeys(path for trial in ranked for path in trial["settings"]))
    columns = ["trial", "state", *names, "epochs", "seconds", *settings]
    table(rows, title=f"{result['scenario']}: {len(result['trials'])} trials for {result['metric']}", columns=columns)
    click.echo(f"own       {', '.join(f'{name} {value:.4f}' for name, value in result['own'].items())}")
    gain = result["gain"]
    if gain is None:
        click.echo("best      no trial came to its end. Give --minutes or --trials more, or look at the errors above.")
        return
    verdict = "better on the rows it was chosen on" if gain["low"] > 0 else "no significant gain"
    click.echo(f"gain      {gain['value']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f} at 95%): {verdict}")
    for path, share in sorted(result["importance"].items(), key=lambda entry: -entry[1]):
        click.echo(f"          {share:4.0%} {path}")
    click.echo(f"pictures  {result['folder']}")
    click.echo(f"mlflow    run {result['mlflow_run_id']}")
    given = " ".join(f"--set '{each}'" for each in [*overrides, *result["overrides"]])
    click.echo(f"next      polyloom run {scenario} {given}")
