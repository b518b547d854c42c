"""`polyloom search`: items by words, a picture, both, another item, or a file of questions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from flows.cli_options import AS_JSON, SCENARIO
from flows.cli_output import emit, emit_lines, table
from polyloom.errors import RequestError


@click.command()
@SCENARIO
@click.option("--text", help="Words to find by.")
@click.option("--image", type=click.Path(path_type=Path), help="A picture to find by.")
@click.option("--like", help="An item's id: what is like it?")
@click.option("--input", "questions", type=click.Path(path_type=Path), help="JSONL: text, image or like on each line.")
@click.option("--where", help='A filter over the items\' columns, such as "price < 20".')
@click.option(
    "--weight", "weights", multiple=True, metavar="NAME=NUMBER", help="What a ranking counts; 0 leaves it out."
)
@click.option("--diversity", default=0.0, show_default=True, help="How much hits differ from each other, 0 to 1.")
@click.option(
    "--facet", "facets", multiple=True, metavar="COLUMN", help="Count a column's values among what was found."
)
@click.option("-k", "count", default=10, show_default=True, help="How many.")
@click.option("--page", default=1, show_default=True, help="Which page of so many.")
@AS_JSON
def search(
    scenario: str,
    text: str | None,
    image: Path | None,
    like: str | None,
    questions: Path | None,
    where: str | None,
    weights: Sequence[str],
    diversity: float,
    facets: Sequence[str],
    count: int,
    page: int,
    *,
    as_json: bool,
) -> None:
    """Find items of SCENARIO[@ALIAS] by words, a picture, both, another item, or by each line of a file."""
    from flows.asking import open_release, picture_bytes
    from releases.found import Wishes

    wishes = Wishes(
        k=count, page=page, where=where, weights=weights_of(weights), diversity=diversity, facets=tuple(facets)
    )
    runtime = open_release(scenario)
    if questions is not None:
        if text or image or like:
            raise RequestError("--input asks the questions of a file; leave --text, --image and --like out.")
        answer_file(runtime, questions, wishes, as_json=as_json)
        return
    found = runtime.find(wishes, text=text, image=picture_bytes(image), like=like)
    if as_json:
        emit({"release": runtime.digest, **shown(found)})
    else:
        show(found, wishes, scenario=scenario)


def weights_of(given: Sequence[str]) -> dict[str, float]:
    """Weights by ranking. Raises: RequestError for one that is not NAME=NUMBER."""
    weights = {}
    for one in given:
        name, equals, number = one.partition("=")
        try:
            weights[name] = float(number) if equals else float("nan")
        except ValueError:
            weights[name] = float("nan")
        if not weights[name] >= 0:
            raise RequestError(f"--weight {one}: it must be NAME=NUMBER with a number of 0 or more, such as image=2.")
    return weights


def answer_file(runtime: Any, path: Path, wishes: Any, *, as_json: bool) -> None:
    """One line of JSON for each question of a file, as it is answered; questions that cannot be asked say why."""
    from flows.questions import answers

    def told(answer: Mapping[str, Any]) -> str:
        return f"{answer['id']}: {', '.join(hit['id'] for hit in answer['hits']) or 'nothing'}"

    emit_lines(answers(runtime, path, wishes), path, as_json=as_json, told=told)


def shown(found: Any) -> dict[str, Any]:
    """What was found as JSON."""
    from flows.report import shown_hit

    facets = {
        name: [{"value": one.value, "count": one.count} for one in counts] for name, counts in found.facets.items()
    }
    return {"hits": [shown_hit(hit) for hit in found.hits], **({"facets": facets} if facets else {})}


def show(found: Any, wishes: Any, *, scenario: str) -> None:
    """A table of hits, one for each facet, and how to go on."""
    from flows.report import hit_rows

    rows = hit_rows(found.hits)
    table(rows, title=f"{len(rows)} hits", columns=list(rows[0]) if rows else ["id"])
    for name, counts in found.facets.items():
        table([one._asdict() for one in counts], title=f"{name}, among what was found", columns=["value", "count"])
    if len(rows) == wishes.k and wishes.page == 1 and not found.facets:
        click.echo(f"next      polyloom search {scenario} ... --page 2")
