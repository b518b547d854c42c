"""What each request becomes: rows to act on with a release, and what of them may be kept.

Everything that may be refused is refused here, before the work waits: who waited is answered.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from polyloom.errors import RequestError
from releases.readable_rows import check_presence
from releases.runtime import Runtime
from releases.serving import schemas
from releases.serving.door import Door, Row
from releases.serving.intake import Taken
from releases.serving.limits import Limits
from releases.serving.refusal import Refused

if TYPE_CHECKING:
    from retrieval.recommending.recommender import Event

ACTIONS = ("predict", "explain", "search", "recommend", "explore", "ask")
Histories = Callable[[Runtime, str], list["Event"]]


@dataclass(frozen=True, kw_only=True)
class Task:
    """One request's work, by an action of `releases.serving.acts` with its options.

    `rows` are what the release sees, `kept` what may be stored of them. `run`, where it is there, does the work in
    place of the action: such a task is not kept. `told` goes into the answer beside what the release says.
    """

    action: str
    rows: list[Row]
    kept: list[Row]
    options: dict[str, Any] = field(default_factory=dict)
    run: Callable[[], Any] | None = None
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def exact(self) -> bool:
        """Whether what is kept is what the release saw."""
        return self.rows is self.kept


class Actions:
    """Requests to tasks, for one release."""

    def __init__(self, runtime: Runtime, door: Door, *, limits: Limits, histories: Histories) -> None:
        self.runtime = runtime
        self.door = door
        self._limits = limits
        self._histories = histories

    def predict(self, asked: schemas.PredictRequest) -> Task:
        """Rows to judge."""
        if not self.runtime.heads:
            raise RequestError(f"{self.runtime.name!r} has no task, so it predicts nothing. It may search.")
        return self._over_rows("predict", asked, {"top": asked.top})

    def explain(self, asked: schemas.ExplainRequest) -> Task:
        """Rows to explain."""
        from releases.explaining import explained_tasks

        explained_tasks(self.runtime, asked.tasks)
        return self._over_rows("explain", asked, {"tasks": asked.tasks, "near": asked.near})

    def search(self, asked: schemas.SearchRequest) -> Task:
        """A page of hits."""
        self._check_count(asked.k)
        if asked.like is None and asked.image is None and not (asked.text and asked.text.strip()):
            raise RequestError("Nothing was asked: give text, image or like.")
        seen: Row = {}
        kept: Row = {}
        if asked.text is not None:
            text = self.door.text(asked.text)
            seen["text"], kept["text"] = text.scored, text.stored
        if asked.image is not None:
            seen["image"] = kept["image"] = self.door.bare_picture(asked.image)
        if asked.like is not None:
            if not self.runtime.searcher.snapshot.held([asked.like]):
                raise RequestError("like: there is no such item in the index.")
            seen["like"] = kept["like"] = asked.like
        options = asked.model_dump(exclude={"text", "image", "like"}, exclude_defaults=True)
        return pair("search", [seen], [kept], options)

    def recommend(self, asked: schemas.RecommendRequest, *, explore: Any = None) -> Task:
        """Items for a history. With `explore` (see `releases.exploring`) the last places are drawn: not kept here."""
        self._check_count(asked.k)
        if asked.user is None and not asked.history:
            raise RequestError("Nothing says for whom. Give user, or history for a visitor without a name.")
        if not self.runtime.facts.get("recommend"):
            raise RequestError(f"{self.runtime.name!r} recommends nothing.")
        history = self._history(asked)
        options: dict[str, Any] = {"k": asked.k, "where": asked.where, "diversity": asked.diversity}
        rows: list[Row] = [{"history": [[one.item, one.weight, one.time] for one in history]}]

        def run() -> dict[str, Any]:
            return {"items": [hit.to_json() for hit in explore.recommend(history, user=asked.user, **options)]}

        return Task(
            action="recommend" if explore is None else "explore",
            rows=rows,
            kept=rows,
            options=options,
            run=None if explore is None else run,
            told={"history": len(history)},
        )

    def ask(self, asked: schemas.AskRequest) -> Task:
        """A question."""
        if asked.k is not None:
            self._check_count(asked.k)
        question = self.door.text(asked.question)
        turns = [self._turn(turn) for turn in asked.conversation]
        said = self.door.intake.texts(turns) if turns else None
        seen = {"question": question.scored, "conversation": said and said.scored}
        kept = {"question": question.stored, "conversation": said and said.stored}
        return pair("ask", [seen], [kept], {"k": asked.k})

    def _over_rows(self, action: str, asked: schemas.Rows, options: dict[str, Any]) -> Task:
        taken = self.door.rows(asked.rows, text=asked.text, image=asked.image)
        seen = [one.scored for one in taken]
        check_presence(self.runtime.heads, self.runtime.preparations, seen)
        return pair(action, seen, [one.stored for one in taken], options)

    def _history(self, asked: schemas.RecommendRequest) -> "list[Event]":
        from retrieval.recommending.recommender import Event

        known = [] if asked.user is None else self._histories(self.runtime, asked.user)
        now = time.time()
        fresh = [Event(item, weight=1.0, time=now) for item in self._ids(asked.history).scored]
        return [*known, *fresh][-self._limits.history :]

    def _turn(self, turn: schemas.Turn) -> dict[str, Any]:
        answer = None if turn.answer is None else self.door.short(turn.answer, "answer")
        return {
            "question": self.door.short(turn.question, "question"),
            "answer": answer,
            "cited": self._ids(turn.cited).scored,
        }

    def _ids(self, given: list[str]) -> Taken[list[str]]:
        """Ids of items, of which those that the index does not know say nothing."""
        known = self.runtime.searcher.snapshot.held(given) if given and self.runtime.searchable else set()
        return self.door.intake.ids(given, known.__contains__)

    def _check_count(self, count: int) -> None:
        if count > self._limits.found:
            raise Refused(413, "too_many_found", f"k is {count}; at most {self._limits.found} are given at once.")


def pair(action: str, seen: list[Row], kept: list[Row], options: dict[str, Any]) -> Task:
    """A task; what is kept is the very rows where nothing had to be taken out."""
    return Task(action=action, rows=seen, kept=seen if seen == kept else kept, options=options)
