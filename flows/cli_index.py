"""`polyloom index`: a release's index looked at, checked, put in order, and brought in step with its sources."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from flows.cli_options import AS_JSON, SCENARIO
from flows.cli_output import emit, table
from polyloom.errors import RequestError

KINDS = ("flat", "ivf_flat", "ivf_sq8", "ivf_pq", "hnsw")
MEBIBYTE = 2**20


@click.command()
@SCENARIO
@click.argument(
    "action", type=click.Choice(["status", "update", "verify", "compact", "rebuild"]), default="status", required=False
)
@click.option(
    "--kind", type=click.Choice(KINDS), help="With rebuild: this kind from now on. Default: as suits the size."
)
@click.option(
    "--set", "overrides", multiple=True, metavar="PATH=VALUE", help="With update: override, such as data.x.path=F."
)
@AS_JSON
def index(scenario: str, action: str, kind: str | None, overrides: Sequence[str], *, as_json: bool) -> None:
    """Look at the index of SCENARIO[@ALIAS], check its bytes, put it in order, or update it from the sources.

    An update embeds only rows that are new or changed, with the release's own encoders, and takes out what is gone.
    Where the scenario recommends or answers, who is recommended what, and when it answers, is learned anew.
    """
    if kind is not None and action != "rebuild":
        raise RequestError(f"--kind belongs to rebuild, and {action} was asked for. Leave it out.")
    if overrides and action != "update":
        raise RequestError(f"--set belongs to update, and {action} was asked for. Leave it out.")
    if action == "update":
        update(scenario, overrides, as_json=as_json)
        return
    from flows.asking import open_release
    from flows.indexing.health import status

    runtime = open_release(scenario)
    done = work(runtime, action, kind)
    facts = {**status(runtime), **done}
    emit(facts) if as_json else show(facts)


def work(runtime: Any, action: str, kind: str | None) -> dict[str, Any]:
    """Do what was asked for; gives what there is to say of it."""
    from flows.indexing.place import index_place
    from releases.live_index import recall_log

    place = index_place(runtime)
    if action == "verify":
        return {"verified": len(place.open(verify=True).ids)}
    actions: dict[str, Callable[[], int]] = {
        "compact": lambda: place.writer().compact(),
        "rebuild": lambda: place.writer().rebuild(kind),  # type: ignore[arg-type]
    }
    if action in actions:
        actions[action]()
        recall_log(place.live).clear()
        return {"done": action}
    return {}


def update(scenario: str, overrides: Sequence[str], *, as_json: bool) -> None:
    """Bring the champion's index in step with the sources."""
    from flows.console import console_progress
    from flows.indexing.running import update_scenario_index

    result = update_scenario_index(scenario, overrides=overrides, progress=console_progress())
    if as_json:
        emit(result)
        return
    counts = {name: result[name] for name in ("new", "changed", "gone", "same", "items")}
    table([counts], title=f"{result['scenario']}: index {result['status']}", columns=list(counts))
    for name, count in result["embedded"].items():
        click.echo(f"embedded  {count:,} values of {name}")
    if result["snapshot"]["rows_quarantined"]:
        click.echo(f"refused   {result['snapshot']['rows_quarantined']:,} rows    polyloom quarantine {scenario} list")
    if result["rebuilt"]:
        click.echo(f"rebuilt   {result['rebuilt']}")
    for line in use_lines(result["uses"]):
        click.echo(line)
    click.echo(f"next      polyloom search {result['scenario']} --text ...    polyloom index {result['scenario']}")


def use_lines(uses: Mapping[str, Any]) -> list[str]:
    """What there is to say of a recommender and a threshold that were made anew."""
    lines = []
    if "recommend" in uses:
        made = uses["recommend"]
        lines.append(f"recommend {made['items']:,} items by {made['events']:,} events of {made['users']:,} users")
    if "answer" in uses:
        lines.append(f"answer    {uses['answer']['reason']}")
    return lines


def show(facts: Mapping[str, Any]) -> None:
    """The index as a table of its fields, and one of its parts."""
    fields = [
        {
            "found by": name,
            "kind": ", ".join(field["kinds"]) or "empty",
            "dim": field["dim"],
            "recall@10": "exact" if field["kinds"] in ([], ["flat"]) else shown_recall(field),
        }
        for name, field in facts["fields"].items()
    ]
    fields += [{"found by": "keyword", "kind": "bm25", "dim": "", "recall@10": "exact"}] if facts["words"] else []
    title = f"{facts['scenario']}: {facts['items']:,} items, state {facts['state']}"
    table(fields, title=title, columns=["found by", "kind", "dim", "recall@10"])
    parts = [{**part, "MiB": round(part["bytes"] / MEBIBYTE, 1)} for part in facts["parts"]]
    table(parts, title=f"{len(parts)} parts", columns=["part", "items", "removed", "MiB"])
    changed = "changed since the release" if facts["changed_since_release"] else "as the release was sealed"
    click.echo(f"snapshot  {facts['snapshot'][:12]}    {changed}")
    if "verified" in facts:
        click.echo(f"verified  every byte of {facts['verified']:,} items is as it was recorded")
    if "done" in facts:
        click.echo(f"done      {facts['done']}")
    if facts["removed_share"] > 0:
        click.echo(
            f"next      polyloom index {facts['scenario']} compact    {facts['removed_share']:.1%} was taken out"
        )


def shown_recall(field: Mapping[str, Any]) -> str:
    """What the live queries overlooked."""
    if field["recall_at_k"] is None:
        return "no query repeated yet"
    return f"{field['recall_at_k']:.3f} of {field['repeated_queries']} queries"
