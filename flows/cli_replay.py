"""`polyloom replay`: a served prediction once more, by the release that answered it."""

import sys
from typing import Any

import click

from flows.cli_options import AS_JSON
from flows.cli_output import emit, table

SHOWN_DIFFERENCES = 20


@click.command()
@click.argument("prediction")
@AS_JSON
def replay(prediction: str, *, as_json: bool) -> None:
    """Run a served PREDICTION again by the release that answered it, champion or not, and compare to the last bit."""
    from flows.asking import open_kept
    from polyloom.home import home
    from releases.serving.logged_predictions import find_logged
    from releases.serving.replay import replay as run_again

    logged = find_logged(home() / "predictions", prediction)
    batch = logged.batch
    found = run_again(logged, open_kept(batch.scenario, batch.release, threads=batch.threads))
    emit(found.to_json()) if as_json else show(found)
    if not found.same:
        sys.exit(1)


def show(found: Any) -> None:
    """Both answers to each row, then each value that differs and what may be the cause."""
    different = {one.row for one in found.differences}
    rows = [
        {"row": row, "then": told(then), "now": told(now), "same": "no" if row in different else "yes"}
        for row, (then, now) in enumerate(zip(found.then, found.now, strict=True))
    ]
    title = f"{found.action} of {found.scenario}, by the release {found.release[:12]}"
    table(rows, title=title, columns=["row", "then", "now", "same"])
    if found.same:
        click.echo("same      to the last bit of every score")
        return
    parts = [vars(one) for one in found.differences[:SHOWN_DIFFERENCES]]
    more = len(found.differences) - len(parts)
    table(parts, title="What differs" + (f", {more} more" if more else ""), columns=["row", "place", "then", "now"])
    click.echo(f"different {found.why}")


def told(answer: Any) -> str:
    """An answer in a few words: labels with their probabilities, items with their scores, a text."""
    if "answers" in answer:
        return ", ".join(f"{task}: {one['label']} {one['probability']!r}" for task, one in answer["answers"].items())
    if "hits" in answer or "items" in answer:
        return ", ".join(f"{one['id']} {one['score']!r}" for one in answer.get("hits", answer.get("items")))
    if "confident" in answer:
        return f"{answer['text'] or 'handed over'} ({answer['score']!r})"
    return ", ".join(f"{task}: {one['label']} {one['score']!r}" for task, one in answer.items())
