"""`polyloom recommend`: items for a user, or for each line of a file."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from flows.cli_options import AS_JSON, SCENARIO
from flows.cli_output import emit, emit_lines, table
from polyloom.errors import PolyloomError, RequestError

KNOWN = ("id", "user", "items")


@click.command()
@SCENARIO
@click.option("--user", help="A user of the scenario's events; one that nobody knows gets what is popular.")
@click.option(
    "--item", "items", multiple=True, metavar="ID", help="An item that the user took just now; may be repeated."
)
@click.option("--input", "asked", type=click.Path(path_type=Path), help="JSONL: user, items or both on each line.")
@click.option("--where", help='A filter over the items\' columns, such as "price < 20".')
@click.option("--diversity", type=float, help="How much items differ from each other, 0 to 1. Default: the scenario's.")
@click.option("-k", "count", default=10, show_default=True, help="How many.")
@click.option(
    "--explore", "is_exploring", is_flag=True, help="Let the last places be drawn, and log them: recommend.explore."
)
@AS_JSON
def recommend(
    scenario: str,
    user: str | None,
    items: Sequence[str],
    asked: Path | None,
    where: str | None,
    diversity: float | None,
    count: int,
    *,
    is_exploring: bool,
    as_json: bool,
) -> None:
    """Items of SCENARIO[@ALIAS] for a user, by what the user and others took and by what the items are."""
    from flows.asking import open_release

    runtime = open_release(scenario)
    wishes = {"k": count, "where": where, "diversity": diversity}
    explore = explorer(runtime) if is_exploring else None
    if asked is not None:
        if user or items:
            raise RequestError("--input asks for each line of a file; leave --user and --item out.")
        answer_file(runtime, asked, wishes, as_json=as_json, explore=explore)
        return
    if user is None and not items:
        raise RequestError("Nothing says for whom. Give --user ID, or --item ID for a visitor without a name.")
    found = recommended(runtime, user, items, wishes, explore)
    if as_json:
        emit({"release": runtime.digest, **found})
        return
    show(found)


def explorer(runtime: Any) -> Any:
    """What explores over the scenario's log. Raises: RequestError where the release does not."""
    from flows.exploring import exploring_of

    return exploring_of(runtime)


def recommended(
    runtime: Any, user: str | None, items: Sequence[str], wishes: Mapping[str, Any], explore: Any = None
) -> dict[str, Any]:
    """Items for a user with what was taken just now, as JSON; with `explore` some are drawn, and all are logged."""
    from flows.events import history_of, settings_of
    from retrieval.recommending.recommender import Event

    settings_of(runtime)
    known = [] if user is None else history_of(runtime, user)
    check_items(runtime, items)
    now = time.time()
    fresh = [Event(item, weight=1.0, time=now) for item in items]
    history = [*known, *fresh]
    if explore is None:
        shown = [vars(hit) for hit in runtime.recommend(history, **wishes)]
    else:
        shown = [hit.to_json() for hit in explore.recommend(history, user=user, **wishes)]
    return {"user": user, "history": len(history), "items": shown}


def check_items(runtime: Any, items: Sequence[str]) -> None:
    """Raises: RequestError for an item that there is not."""
    known = runtime.searcher.snapshot.rows(list(items))
    unknown = [item for item in items if item not in known]
    if unknown:
        some = ", ".join(map(str, list(runtime.searcher.snapshot.ids)[:3]))
        raise RequestError(f"--item {unknown[0]}: there is no such item in the index. Items are such as {some}.")


def answer_file(runtime: Any, path: Path, wishes: Mapping[str, Any], *, as_json: bool, explore: Any = None) -> None:
    """One line for each line of a file; lines that cannot be answered say why."""

    def told(answer: Mapping[str, Any]) -> str:
        return f"{answer['id']}: {', '.join(hit['id'] for hit in answer['items']) or 'nothing'}"

    emit_lines(answers(runtime, path, wishes, explore), path, as_json=as_json, told=told)


def answers(runtime: Any, path: Path, wishes: Mapping[str, Any], explore: Any = None) -> Iterator[dict[str, Any]]:
    """Items for each line, under its `id` or its number. Raises: RequestError when the file cannot be read."""
    from flows.json_lines import json_lines

    for number, line in json_lines(path):
        id_: object = number
        try:
            asked = read_line(line, number, path)
            id_ = asked.get("id", number)
            yield {"id": id_, **recommended(runtime, asked.get("user"), asked.get("items", []), wishes, explore)}
        except PolyloomError as error:
            yield {"id": id_, "error": str(error)}


def read_line(line: str, number: int, path: Path) -> dict[str, Any]:
    """One line. Raises: RequestError for what is none."""
    from flows.json_lines import json_object

    asked = json_object(line, number, path, known=KNOWN)
    if not isinstance(asked.get("user", ""), str) or not isinstance(asked.get("items", []), list):
        raise RequestError(f"{path}, line {number}: user is text, items a list of ids; got {line[:80]}.")
    return {**asked, "items": [str(item) for item in asked.get("items", [])]}


def show(found: Mapping[str, Any]) -> None:
    """A table of items with what speaks for each."""
    ordered = any(hit["why"] for hit in found["items"])
    rows = [
        {
            "id": hit["id"],
            "score": f"{hit['score']:.3f}",
            **dict(list(hit["row"].items())[:3]),
            "speaks for it": ", ".join(f"{name} {share:.0%}" for name, share in hit["parts"].items()),
            "because of": ", ".join(hit["because"]),
            **({"placed by": placed(hit["why"])} if ordered else {}),
            **explored_columns(hit),
        }
        for hit in found["items"]
    ]
    of = f"by {found['history']} events" if found["history"] else "nothing is known, so by popularity"
    title = f"{len(rows)} items for {found['user'] or 'a visitor'}, {of}"
    table(rows, title=title, columns=list(rows[0]) if rows else ["id"])
    if not rows:
        click.echo("nothing   everything that meets the filters was taken already, or there is nothing to recommend")
    drawn = [hit["exposure"] for hit in found["items"] if "propensity" in hit]
    if drawn:
        click.echo(f"explored  {len(drawn)} of them. What came back: polyloom feedback SCENARIO {drawn[0]} --reward 1")


def placed(why: Mapping[str, float]) -> str:
    """What weighs most in an item's place."""
    return ", ".join(f"{name} {share:+.0%}" for name, share in why.items())


def explored_columns(hit: Mapping[str, Any]) -> dict[str, str]:
    """An item's exposure, and how likely it was where it was drawn; nothing in a list that does not explore."""
    if "exposure" not in hit:
        return {}
    drawn = f", drawn with {hit['propensity']:.1%}" if "propensity" in hit else ""
    return {"exposure": f"{hit['exposure']}{drawn}"}
