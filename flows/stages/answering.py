"""From where on a release answers: how sure it must be is chosen by questions whose answers are known.

The confidence is fitted on training rows, each asked of all others; the threshold is chosen by rows of the validation
and test splits, asked of the training rows alone, so that its promise is about questions that were not there. Where a
task that learned the training rows has its say, validation rows take their part, and the test rows choose.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flows.stages.job import Job
from flows.use_spec import Answer
from polyloom.durable import read_json, write_json
from polyloom.errors import DataError
from polyloom.progress import Progress
from releases.answering import RECORD, candidates, reply
from releases.promise import SCORES, SNAPSHOT, present_snapshot
from releases.runtime import Runtime
from retrieval.answering.asking import DEPTH
from retrieval.answering.confidence import FEATURES, Confidence, evidence, fit_confidence
from retrieval.answering.selective import Threshold, choose_threshold

# More of either tell hardly more.
MOST = 2000
# What nothing could be fitted for is sure of nothing.
UNSURE = Confidence(FEATURES, (0.0,) * len(FEATURES), (1.0,) * len(FEATURES), (0.0,) * len(FEATURES), bias=0.0, rows=0)


def build_answering(job: Job, folder: Path, *, progress: Progress) -> dict[str, Any]:
    """Choose when the application in `folder` answers, and write it there; gives what there is to say of it.

    Nothing where no answers are asked for. The folder is a bundle that is not sealed yet.
    """
    if job.scenario.answer is None:
        return {}
    runtime = Runtime(folder=folder, digest="", facts=read_json(folder / "application.json"), blobs=None)
    record, figures = choose_answering(runtime, settings=job.scenario.answer, progress=progress)
    write_json(folder / RECORD, record)
    return figures


def choose_answering(
    runtime: Runtime, *, settings: Answer, progress: Progress
) -> tuple[dict[str, Any], dict[str, Any]]:
    """When a release answers, as `releases.answering` reads it, and the figures of that promise."""
    first, second = (["train"], ["validation", "test"]) if settings.task is None else (["validation"], ["test"])
    fitting, choosing = questions(runtime, first, seed=1), questions(runtime, second, seed=2)
    with progress.stage("answer", total=len(fitting) + len(choosing), unit="questions") as bar:
        known = judged(runtime, fitting, but_itself=True, bar=bar)
        confidence, why = confidence_of(*known)
        scores, right = judged(runtime, choosing, but_itself=False, bar=bar)
    sure = confidence(scores)
    threshold = choose_threshold(sure, right, alpha=settings.alpha, delta=settings.delta)
    record = {
        "confidence": confidence.to_json(), "threshold": threshold.to_json(),
        SNAPSHOT: present_snapshot(runtime), SCORES: [round(float(score), 4) for score in np.sort(sure)],
    }  # fmt: skip
    return record, told(threshold, right, why)


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


def told(threshold: Threshold, right: np.ndarray, why: str | None) -> dict[str, Any]:
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
        "reason": threshold.reason if why is None else f"{threshold.reason} {why}",
    }
