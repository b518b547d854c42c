"""`make demo`: both demo scenarios to released champions, then what to open."""

import click

from flows.console import summary_table
from flows.running import run_scenario
from flows.server import prefect_server
from flows.unchanged import unchanged_result
from polyloom.progress import Progress

SCENARIOS = ("shop", "support")


def run_demo(*, progress: Progress) -> None:
    """Run what changed, on one Prefect server, and end with a table and the next commands."""
    known = {name: unchanged_result(name) for name in SCENARIOS}
    if not all(known.values()):
        with prefect_server(progress=progress):
            for name in SCENARIOS:
                progress.log(f"scenario {name}")
                known[name] = run_scenario(name, overrides=(), progress=progress)
    rows = [
        {
            "scenario": name,
            "status": result["status"],
            "release": f"{name}/{result['release']['version']} {result['release']['alias']}",
            "items": result["index"]["rows"],
            **{task: figures["accuracy"] for task, figures in list(result["metrics"].items())[:2]},
        }
        for name, result in known.items()
        if result
    ]
    for row in rows:
        summary_table([row], title="", columns=list(row))
    click.echo("All of this data is made up. Now open the page, or ask:")
    click.echo("  make ui")
    click.echo("  .venv/bin/polyloom search shop --text 'a red lamp' --where 'price < 60'")
    click.echo("  .venv/bin/polyloom search support --text '我的包裹在哪里？'")
    click.echo("  .venv/bin/polyloom ask support 'How can I pay?'")
    click.echo("  .venv/bin/polyloom recommend shop --user u157")
    click.echo("  .venv/bin/polyloom predict support --text 'Where is my parcel?'")
