"""`polyloom exposures`: what exploring has shown, what of it was taken, and what other policies would have brought."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from flows.cli_options import AS_JSON, SCENARIO
from flows.cli_output import emit, table


@click.command()
@SCENARIO
@click.option("--picture", type=click.Path(path_type=Path), metavar="FILE", help="Draw the policies there, as PNG.")
@AS_JSON
def exposures(scenario: str, picture: Path | None, *, as_json: bool) -> None:
    """What was explored in SCENARIO, and by the log what each policy would bring, with 95% intervals."""
    from flows.exploring import log_of
    from releases.exploring_report import report_of

    report = report_of(log_of(scenario))
    next_step = f"Nothing was explored yet. Next: polyloom recommend {scenario} --user ID --explore"
    if picture is not None and report.policies:
        from flows.explore_pictures import policies_picture

        policies_picture(picture, report, title=scenario)
    if as_json:
        emit({"scenario": scenario, **report.to_json(), **({} if report.policies else {"next": next_step})})
    elif report.policies:
        show(report.to_json(), scenario)
    else:
        click.echo(next_step)


def show(found: Mapping[str, Any], scenario: str) -> None:
    """Two tables."""
    rows = [
        {
            "places": name,
            "shown": own["shown"],
            "heard of": own["rewarded"],
            "taken": own["taken"],
            "click rate": "-" if own["click_rate"] is None else f"{own['click_rate']:.1%}",
            "reward": f"{own['reward']:g}",
        }
        for name, own in (("explored", found["explored"]), ("others", found["others"]))
    ]
    table(rows, title=f"{scenario}: {found['users']} users met explored places", columns=list(rows[0]))
    table(
        [policy_row(one) for one in found["policies"]],
        title="Estimated reward a choice, 95% intervals",
        columns=["policy", "estimate", "interval", "effective choices", "note"],
    )


def policy_row(policy: Mapping[str, Any]) -> dict[str, str]:
    """A policy as words."""
    known = policy["value"] is not None
    return {
        "policy": policy["policy"],
        "estimate": f"{policy['value']:.3f}" if known else "-",
        "interval": f"{policy['low']:.3f} to {policy['high']:.3f}" if known else "-",
        "effective choices": f"{policy['effective']:.0f}",
        "note": " ".join(policy["notes"]),
    }
