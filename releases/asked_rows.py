"""Rows of a table to answers as JSON values, whatever is asked: what services get that know no Python of ours.

A row holds the scenario's own columns; to search and ask `question`, to search `like`, an item's id, and to recommend
`history`, the ids that a user took, oldest first. A scenario's own column of such a name is read as that.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from polyloom.errors import RequestError, suggestion
from releases.found import Wishes
from releases.runtime import TEXT_KINDS, Runtime

QUESTION, LIKE, HISTORY = "question", "like", "history"
Row = Mapping[str, object]


@dataclass(frozen=True)
class Request:
    """What is to be done with each row; `k` and `where` are for what is found, `top` for how many labels are told."""

    do: str = "predict"
    k: int = 10
    where: str | None = None
    top: int = 5


def answer_rows(runtime: Runtime, rows: Sequence[Row], request: Request) -> list[dict[str, Any]]:
    """One JSON object a row. Raises: RequestError for what cannot be asked, naming what can."""
    if request.do not in ACTS:
        raise RequestError(
            f"do: {request.do!r} is nothing that a release does.{suggestion(request.do, ACTS)} It does {known_acts()}."
        )
    return ACTS[request.do](runtime, rows, request)


def known_acts() -> str:
    """The names of what can be asked, in words."""
    return ", ".join(ACTS)


def predict(runtime: Runtime, rows: Sequence[Row], request: Request) -> list[dict[str, Any]]:
    """Each task's answer by its name, and `missing`, the modalities that the row did not have."""
    if not runtime.heads:
        raise RequestError(f"{runtime.name!r} has no task, so it predicts nothing. It may search: do='search'.")
    found = runtime.predict(rows, top=request.top)
    return [
        {"answers": {task: plain(asdict(answer)) for task, answer in one.answers.items()}, "missing": list(one.missing)}
        for one in found
    ]


def search(runtime: Runtime, rows: Sequence[Row], request: Request) -> list[dict[str, Any]]:
    """The `hits` of each row."""
    wishes = Wishes(k=request.k, where=request.where)
    return [{"hits": [plain(asdict(hit)) for hit in found]} for found in (_hits(runtime, row, wishes) for row in rows)]


def recommend(runtime: Runtime, rows: Sequence[Row], request: Request) -> list[dict[str, Any]]:
    """The `items` for each row's history."""
    from retrieval.recommending.recommender import Event

    answers = []
    for number, row in enumerate(rows, start=1):
        given = row.get(HISTORY) or []
        if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
            raise RequestError(f"Row {number}: {HISTORY} is {given!r}; give a list of item ids, oldest first.")
        history = [Event(item, 1.0, float(place)) for place, item in enumerate(given)]
        found = runtime.recommend(history, k=request.k, where=request.where)
        answers.append({"items": [plain(asdict(one)) for one in found]})
    return answers


def ask(runtime: Runtime, rows: Sequence[Row], request: Request) -> list[dict[str, Any]]:  # noqa: ARG001
    """An answer or a hand-over for each row's question."""
    answers = []
    for number, row in enumerate(rows, start=1):
        question = _words(runtime, row)
        if question is None:
            raise RequestError(f"Row {number} asks nothing: give its {QUESTION} a text of at least one character.")
        answers.append(plain(runtime.ask(question).to_json()))
    return answers


ACTS: dict[str, Callable[[Runtime, Sequence[Row], Request], list[dict[str, Any]]]] = {
    "predict": predict,
    "search": search,
    "recommend": recommend,
    "ask": ask,
}


def plain(value: Any) -> Any:
    """A value as JSON has it: times as text, and what is no number as nothing."""
    return _finite(json.loads(json.dumps(value, default=str)))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return {key: _finite(part) for key, part in value.items()} if isinstance(value, dict) else value


def _hits(runtime: Runtime, row: Row, wishes: Wishes) -> list[Any]:
    like = row.get(LIKE)
    if like is not None:
        return runtime.find(wishes, like=str(like)).hits
    return runtime.find(wishes, text=_words(runtime, row), image=_picture(runtime, row)).hits


def _words(runtime: Runtime, row: Row) -> str | None:
    """The question, else what the first modality of texts reads in the row."""
    if row.get(QUESTION) is not None and str(row[QUESTION]).strip():
        return str(row[QUESTION])
    values = (given.value(row) for given in runtime.preparations.values() if given.kind in TEXT_KINDS)
    return next((value for value in values if isinstance(value, str)), None)


def _picture(runtime: Runtime, row: Row) -> bytes | None:
    values = (given.value(row) for given in runtime.preparations.values() if given.kind == "image")
    return next((value for value in values if isinstance(value, bytes)), None)
