"""Tasks run: predictions of several requests in one call of the release, anything else alone; and kept for replay."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import orjson

from releases.serving.actions import Task
from releases.serving.acts import index_state, perform
from releases.serving.champion import Served
from releases.serving.lane import Work
from releases.serving.prediction_id import new_prediction_id
from releases.serving.served_batch import Member, ServedBatch


class Keeping(Protocol):
    """What keeps batches for replay, such as `PredictionLog`; it never holds anybody up."""

    def add(self, batch: ServedBatch) -> bool:
        """Whether the batch will be kept."""


class Outcome(NamedTuple):
    """An answer as JSON, and the id under which it can be replayed; None where it was not kept."""

    body: bytes
    prediction: str | None


class Asked(NamedTuple):
    """What a work carries."""

    served: Served
    task: Task
    request_id: str


def work_of(served: Served, task: Task, *, request_id: str, keeping: Keeping | None) -> Work:
    """A task as work for a lane. Predictions by one release with the same options may run together."""
    key = ("predict", served.digest, task.options["top"]) if task.action == "predict" else None
    run = functools.partial(explored if task.run else answered, keeping=keeping)
    return Work(
        action=task.action,
        rows=max(1, len(task.rows)),
        key=key,
        payload=Asked(served, task, request_id),
        run=run,
        release=served.digest,
    )


def answered(works: Sequence[Work], *, keeping: Keeping | None) -> list[Outcome]:
    """The answers to several requests, from one call of the release."""
    asked: list[Asked] = [work.payload for work in works]
    served, first = asked[0].served, asked[0].task
    rows = [row for one in asked for row in one.task.rows]
    state = index_state(served.runtime, first.action)
    answers = perform(served.runtime, first.action, rows, first.options)
    members, place = [], 0
    for one in asked:
        members.append(
            Member(prediction=new_prediction_id(), request=one.request_id, place=place, rows=len(one.task.rows))
        )
        place += len(one.task.rows)
    kept = [row for one in asked for row in one.task.kept]
    intake = served.door.door.intake
    # A filter is followed as it came, and an answer to what the model saw unmasked may say it again.
    options = intake.texts(first.options)
    exact = all(one.task.exact for one in asked) and options.stored == first.options
    is_kept = keeping is not None and keeping.add(
        ServedBatch(
            scenario=served.scenario,
            release=served.digest,
            action=first.action,
            rows=kept,
            members=members,
            answers=intake.answer(answers),
            options=options.stored,
            index=state,
            exact=exact,
            threads=served.runtime.threads,
        )
    )
    return [
        outcome(one, answers[member.place : member.place + member.rows], member.prediction if is_kept else None)
        for one, member in zip(asked, members, strict=True)
    ]


def explored(works: Sequence[Work], *, keeping: Keeping | None) -> list[Outcome]:
    """A list that was drawn, which the log of exposures keeps."""
    del keeping
    return [outcome(work.payload, [work.payload.task.run()], None) for work in works]


def outcome(asked: Asked, answers: Sequence[Any], prediction: str | None) -> Outcome:
    """One request's answer."""
    served = asked.served
    release = {"scenario": served.scenario, "version": served.version, "digest": served.digest}
    own = SHAPES[asked.task.action](answers)
    told = {"release": release, "prediction": prediction, **asked.task.told, **own}
    return Outcome(orjson.dumps(told, option=orjson.OPT_NON_STR_KEYS), prediction)


SHAPES: dict[str, Callable[[Sequence[Any]], dict[str, Any]]] = {
    "predict": lambda answers: {"predictions": answers},
    "explain": lambda answers: {"explanations": answers},
    "search": lambda answers: answers[0],
    "recommend": lambda answers: answers[0],
    "explore": lambda answers: answers[0],
    "ask": lambda answers: {"answer": answers[0]},
}
