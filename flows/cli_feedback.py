"""`polyloom feedback`: what an item that was shown brought."""

import click

from flows.cli_options import AS_JSON, SCENARIO
from flows.cli_output import emit


@click.command()
@SCENARIO
@click.argument("exposure")
@click.option("--reward", type=float, help="What it brought, such as 1 for taken and 0 for not.")
@click.option("--event", help="An event of the scenario, such as buy; its weight is the reward.")
@AS_JSON
def feedback(scenario: str, exposure: str, reward: float | None, event: str | None, *, as_json: bool) -> None:
    """Note what an EXPOSURE of `recommend --explore` brought; the same again counts once, another takes its place."""
    from flows.exploring import event_columns, log_of
    from releases.exploring import noted

    columns = event_columns(scenario) if event is not None else None
    found = noted(log_of(scenario), exposure, reward=reward, event=event, columns=columns)
    if as_json:
        emit({"exposure": found.id, "reward": found.reward, "before": found.before, "counted": found.counted})
        return
    before = "" if found.before is None or not found.counted else f", instead of {found.before:g}"
    said = f"brought {found.reward:g}{before}" if found.counted else f"brought {found.reward:g}, as was known already"
    click.echo(f"{found.id} {said}. See polyloom exposures {scenario}")
