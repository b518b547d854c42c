"""What a release is asked over the network, one form for each: what is run, what is kept of it, what is run again.

A row is what one question brings: to predict and explain the scenario's own columns; to search `text`, `image`
and `like`; to recommend `history`, `[item, weight, time]` oldest first; to ask `question` and `conversation`, turns.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from polyloom.durable import json_digest
from polyloom.errors import RequestError, suggestion
from releases.asked_rows import Request, plain
from releases.asked_rows import predict as predict_rows
from releases.found import Wishes
from releases.runtime import Runtime

Row = Mapping[str, Any]
Options = Mapping[str, Any]


def perform(
    runtime: Runtime, action: str, rows: Sequence[Row], options: Options | None = None, *, noted: bool = True
) -> list[Any]:
    """One JSON value for each row. What is run again is not to be `noted` where questions are counted.

    Options are, to predict `top`; to search those of `Wishes`; to recommend `k`, `where` and `diversity`; to ask `k`;
    to explain `tasks` and `near`. Raises: RequestError for what cannot be asked, naming what can.
    """
    if action not in ACTIONS:
        raise RequestError(
            f"{action!r} is nothing that a release does.{suggestion(action, ACTIONS)} It does {', '.join(ACTIONS)}."
        )
    return ACTIONS[action](runtime, rows, dict(options or {}), noted)


def index_state(runtime: Runtime, action: str) -> str | None:
    """What changes when an answer may, though the release is the same; None for what no index is asked for."""
    if action == "predict" or not runtime.searchable:
        return None
    snapshot = runtime.searcher.snapshot
    found = {"number": snapshot.number, "note": dict(snapshot.note), "items": len(snapshot.ids)}
    return json_digest({**found, "uses": runtime.uses})[:16]


def predict(runtime: Runtime, rows: Sequence[Row], options: dict[str, Any], _noted: bool) -> list[Any]:  # noqa: FBT001
    """All rows at once; each task's answer by its name, and the modalities that the row did not have."""
    return predict_rows(runtime, rows, Request(**options))


def search(runtime: Runtime, rows: Sequence[Row], options: dict[str, Any], _noted: bool) -> list[Any]:  # noqa: FBT001
    """The `hits` of each row, and `facets` where they are counted."""
    found = [runtime.find(Wishes(**options), **row) for row in rows]
    return [
        {
            "hits": [plain(asdict(hit)) for hit in one.hits],
            "facets": {name: [each._asdict() for each in counts] for name, counts in one.facets.items()},
        }
        for one in found
    ]


def recommend(runtime: Runtime, rows: Sequence[Row], options: dict[str, Any], _noted: bool) -> list[Any]:  # noqa: FBT001
    """The `items` for each history."""
    from retrieval.recommending.recommender import Event

    histories = [[Event(item, float(weight), float(at)) for item, weight, at in row["history"]] for row in rows]
    return [{"items": [plain(asdict(one)) for one in runtime.recommend(history, **options)]} for history in histories]


def ask(runtime: Runtime, rows: Sequence[Row], options: dict[str, Any], noted: bool) -> list[Any]:  # noqa: FBT001
    """An answer or a hand-over for each question."""
    from retrieval.answering.conversation import Conversation

    answers = []
    for row in rows:
        turns = row.get("conversation")
        conversation = None if turns is None else Conversation.from_json(turns)
        found = runtime.ask(row["question"], conversation=conversation, noted=noted, **options)
        answers.append(plain(found.to_json()))
    return answers


def explain(runtime: Runtime, rows: Sequence[Row], options: dict[str, Any], _noted: bool) -> list[Any]:  # noqa: FBT001
    """Why each row is answered as it is, by task."""
    from releases.explaining import explain as explained

    return [{task: plain(one.to_json()) for task, one in explained(runtime, row, **options).items()} for row in rows]


ACTIONS: Mapping[str, Callable[[Runtime, Sequence[Row], dict[str, Any], bool], list[Any]]] = {
    "predict": predict,
    "search": search,
    "recommend": recommend,
    "ask": ask,
    "explain": explain,
}
