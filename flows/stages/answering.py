"""From where on a release answers: how sure it must be is chosen by questions whose answers are known.

The confidence is fitted on training rows, each asked of all others; the threshold is chosen by rows of the validation
and test splits, asked of the training rows alone, so that its promise is about questions that were not there. Where a
task that learned the training rows has its say, validation rows take their part, and the test rows choose. Where
answers are read in documents, a table of questions with the words that answer them takes the part of the rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from flows.stages.job import Job
from flows.stages.known_answers import judged_readings, known_answers, known_questions
from flows.use_spec import SENTENCE, Answer
from polyloom.durable import read_json, write_json
from polyloom.errors import DataError
from polyloom.progress import Progress
from releases.answering import RECORD, candidates, reply
from releases.promise import SCORES, SNAPSHOT, present_snapshot
from releases.runtime import Runtime
from retrieval.answering.asking import DEPTH
from retrieval.answering.confidence import FEATURES, Confidence, evidence, fit_confidence
from retrieval.answering.selective import STARTS, Threshold, choose_threshold, least_rows

# More of either tell hardly more.
MOST = 2000
NO_QUESTIONS = (
    "No questions with known answers say from where on what is read is right. Add `questions: {{rows: TABLE, text: "
    "COLUMN, answer: COLUMN}}` to `answer`, a table of the scenario with at least {needed} of them in the splits "
    "validation and test, and run it again."
)
# What nothing could be fitted for is sure of nothing.
UNSURE = Confidence(FEATURES, (0.0,) * len(FEATURES), (1.0,) * len(FEATURES), (0.0,) * len(FEATURES), bias=0.0, rows=0)


def build_answering(job: Job, folder: Path, *, progress: Progress) -> dict[str, Any]:
    """Choose when the application in `folder` answers, and write it there; gives what there is to say of it.

    Nothing where no answers are asked for. The folder is a bundle that is not sealed yet.
    """
    if job.scenario.answer is None:
        return {}
    runtime = Runtime(folder=folder, digest="", facts=read_json(folder / "application.json"), blobs=None)
    record, figures = choose_answering(
        runtime, settings=job.scenario.answer, progress=progress, snapshot=job.snapshot.folder
    )
    write_json(folder / RECORD, record)
    return figures


def choose_answering(
    runtime: Runtime, *, settings: Answer, progress: Progress, snapshot: Path | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """When a release answers, as `releases.answering` reads it, and the figures of that promise.

    `snapshot` is the folder that holds the table of questions; without it the one whose rows the index holds.
    """
    if settings.reads is not None and settings.questions is None:
        return nothing_known(settings)
    learned = settings.task is not None or settings.reads not in {None, SENTENCE}
    first, second = (["validation"], ["test"]) if learned else (["train"], ["validation", "test"])
    asking = Asking.of(runtime, settings, snapshot)
    fitting, choosing = asking.questions(first, seed=1), asking.questions(second, seed=2)
    with progress.stage("answer", total=len(fitting) + len(choosing), unit="questions") as bar:
        confidence, why = confidence_of(*asking.judged(fitting, but_itself=True, bar=bar))
        scores, right = asking.judged(choosing, but_itself=False, bar=bar)
    # What is sure of nothing answers nothing: a score that says nothing is none.
    sure = confidence(scores) if why is None else np.full(len(scores), np.nan)
    threshold = choose_threshold(sure, right, alpha=settings.alpha, delta=settings.delta)
    if why is not None:
        threshold = replace(threshold, reason=f"{threshold.reason} {why}")
    record = {
        "confidence": confidence.to_json(),
        "threshold": threshold.to_json(),
        SNAPSHOT: present_snapshot(runtime),
        SCORES: [] if why else [round(float(score), 4) for score in np.sort(sure)],
    }
    return record, told(threshold, right)


def nothing_known(settings: Answer) -> tuple[dict[str, Any], dict[str, Any]]:
    """Never to answer: nobody said which answers are right."""
    needed = least_rows(alpha=settings.alpha, delta=settings.delta / len(STARTS))
    threshold = Threshold(
        value=None,
        alpha=settings.alpha,
        delta=settings.delta,
        rows=0,
        answered_share=0.0,
        wrong=0,
        bound=1.0,
        needed=needed,
        reason=NO_QUESTIONS.format(needed=needed),
    )
    record = {"confidence": UNSURE.to_json(), "threshold": threshold.to_json()}
    return record, told(threshold, np.zeros(0, dtype=bool))


@dataclass(frozen=True)
class Asking:
    """What questions are asked, and what says whether an answer is right."""

    questions: Callable[..., list[dict[str, Any]]]
    judged: Callable[..., tuple[np.ndarray, np.ndarray]]

    @classmethod
    def of(cls, runtime: Runtime, settings: Answer, snapshot: Path | None) -> "Asking":
        """The index's own rows, or a table of questions where answers are read."""
        if settings.questions is None:
            return cls(partial(questions, runtime), partial(judged, runtime))
        table = known_answers(runtime, settings.questions, snapshot)
        return cls(partial(known_questions, table), partial(judged_readings, runtime))


def questions(runtime: Runtime, splits: Sequence[str], *, seed: int) -> list[dict[str, Any]]:
    """Items of these splits that can be asked, at most so many, drawn alike."""
    from modalities.preparation.protocol import text_value

    table = runtime.searcher.snapshot.table()
    words = runtime.facts["index"]["words"]
    rows = [
        {**row, "asked": text}
        for row in table.to_pylist()
        if row.get("_split") in splits and (text := text_value(row, list(words)))
    ]
    order = np.random.default_rng(seed).permutation(len(rows))[:MOST]
    return [rows[place] for place in np.sort(order)]


def judged(
    runtime: Runtime, asked: Sequence[dict[str, Any]], *, but_itself: bool, bar: Any
) -> tuple[np.ndarray, np.ndarray]:
    """For each question what speaks for the first that is found [questions, features], and whether it is right.

    Right is what leads to the same answer; a question without an answer has none that is right.
    """
    group = runtime.facts["index"]["group"]
    values, right = np.zeros((len(asked), len(FEATURES))), np.zeros(len(asked), dtype=bool)
    for place, row in enumerate(asked):
        but = [row["_key"]] if but_itself else []
        found = candidates(runtime, row["asked"], count=DEPTH, learned=True, but=but)
        values[place] = evidence(row["asked"], found)
        wanted = reply(row, runtime.facts["answer"])
        if found and wanted is not None and found[0].reply is not None:
            right[place] = found[0].leads_to == str(row[group]) if group else found[0].reply == wanted
        bar.advance(1)
    return values, right


def confidence_of(values: np.ndarray, right: np.ndarray) -> tuple[Confidence, str | None]:
    """How sure to be, by these questions; sure of nothing, and why, where they are too few."""
    try:
        return fit_confidence(values, right), None
    except DataError as error:
        return UNSURE, str(error)


def told(threshold: Threshold, right: np.ndarray) -> dict[str, Any]:
    """The figures of the promise."""
    return {
        "threshold": threshold.value,
        "alpha": threshold.alpha,
        "delta": threshold.delta,
        "questions": threshold.rows,
        "right_if_all_were_answered": round(float(right.mean()), 4) if len(right) else None,
        "answered_share": round(threshold.answered_share, 4),
        "wrong": threshold.wrong,
        "bound": round(threshold.bound, 4),
        "needed": threshold.needed,
        "reason": threshold.reason,
    }
