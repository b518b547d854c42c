"""`polyloom techniques`: the ledger of techniques, each against the plain baseline."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from flows.cli_options import AS_JSON, SCENARIO
from flows.cli_output import emit, table

COLUMNS = ["technique", "metric", "difference", "verdict", "fit s", "trained", "MB", "ms"]
MILLION = 1e6


@click.command()
@SCENARIO
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override, such as recipe.epochs=3.")
@click.option("--only", multiple=True, metavar="NAME", help="A technique; may be given several times. Default: all.")
@click.option("--seed", "seeds", multiple=True, type=int, help="May be given several times; of the scenario's section.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Budget over all sessions.")
@click.option(
    "--split", type=click.Choice(["validation", "test"]), default="test", show_default=True, help="Judged rows."
)
@click.option("--list", "listed", is_flag=True, help="Say what would be compared, and fit nothing.")
@AS_JSON
def techniques(
    scenario: str,
    overrides: Sequence[str],
    only: Sequence[str],
    seeds: Sequence[int],
    minutes: float | None,
    split: str,
    *,
    listed: bool,
    as_json: bool,
) -> None:
    """Fit the plain baseline and every technique on the same rows and seeds; say what each gains and costs."""
    from flows.console import console_progress
    from flows.techniques.running import choice_of, compare_techniques

    given = {"only": tuple(only) or None, "seeds": tuple(seeds) or None, "minutes": minutes}
    limits: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if listed:
        choice = choice_of(scenario, overrides=overrides, limits=limits)
        show_choice([vars(each) for each in choice.techniques], choice.skipped, as_json=as_json)
        return
    limits["split"] = split
    result = compare_techniques(scenario, overrides=overrides, limits=limits, progress=console_progress())
    emit(result) if as_json else show(result)


def show_choice(found: Sequence[Mapping[str, Any]], skipped: Mapping[str, str], *, as_json: bool) -> None:
    """What would be compared, and what would not."""
    from flows.techniques.choice import overrides_of

    if as_json:
        emit({"techniques": list(found), "skipped": dict(skipped)})
        return
    rows = [{**each, "settings": " ".join(overrides_of(each["settings"]))} for each in found]
    table(rows, title=f"{len(rows)} techniques", columns=["name", "what", "settings"])
    show_skipped(skipped)


def show(result: Mapping[str, Any]) -> None:
    """The ledger, the largest gain first."""
    baseline, *others = result["techniques"]
    ranked = [baseline, *sorted(others, key=lambda row: -float(row["difference"]))]
    title = f"{result['scenario']}: {result['metric']} of {result['rows']} {result['split']} rows"
    table([as_row(row) for row in ranked], title=title, columns=COLUMNS)
    show_skipped(result["skipped"])
    click.echo("gain      its 95% interval lies above 0, and it stands out beside all techniques looked at together")
    click.echo(f"picture   {result['folder']}/techniques.png")
    click.echo(f"mlflow    run {result['mlflow_run_id']}")
    if result["split"] == "test":
        click.echo("next      to choose by, --split validation: what is chosen by test rows looks better than it is")


def show_skipped(skipped: Mapping[str, str]) -> None:
    """What is not compared, and why."""
    for name, reason in skipped.items():
        click.echo(f"left out  {name}: {' '.join(reason.split())}")


def as_row(row: Mapping[str, Any]) -> dict[str, object]:
    """A row of the table."""
    gain = f"{row['difference']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f})" if "difference" in row else ""
    return {
        "technique": row["technique"],
        "metric": f"{row['metric']:.4f}",
        "difference": gain,
        "verdict": row.get("verdict", ""),
        "fit s": f"{row['seconds']:.0f}",
        "trained": f"{row['trained_parameters']:,}",
        "MB": f"{row['bytes'] / MILLION:.1f}",
        "ms": f"{row['milliseconds']:.1f}",
    }
