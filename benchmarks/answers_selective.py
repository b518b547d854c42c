"""Whether the promised error rate holds, over many resplits of questions whose answers are known."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.answers_index import Finder, Vectors
from benchmarks.answers_resplits import ALPHA, DELTA, Asked, Outcome, broken_share, coverage, mean_error, resplit
from benchmarks.answers_sets import SETS, AnswerSet, Question
from benchmarks.figures import Figure
from retrieval.answering.confidence import evidence
from retrieval.joining import USUAL_SHARE


def selective_figures(data: Path, folder: Path, *, sets: Sequence[str], resplits: int) -> list[Figure]:
    """All figures of these sets."""
    figures = []
    for name in sets:
        given = SETS[name](data)
        texts = [entry.text for entry in given.entries]
        embed = Vectors(folder / name / "run", texts)
        embed.learn([question.text for question in (*given.questions, *given.fitting)])
        finder = Finder(folder / name / "index", given.entries, embed=embed)
        figures += set_figures(given, finder, resplits=resplits)
    return figures


def set_figures(given: AnswerSet, finder: Finder, *, resplits: int) -> list[Figure]:
    """One set's figures."""
    asked = asked_of(given.questions, finder)
    fitted_on = asked_of(given.fitting, finder) if given.fitting else None
    outcomes = [resplit(asked, seed=seed, fitted_on=fitted_on) for seed in range(resplits)]
    return summary(f"{given.name}, {len(given.questions)} questions", asked, outcomes)


def asked_of(questions: Sequence[Question], finder: Finder) -> Asked:
    """The evidence for what each question finds; the same text is one group."""
    rows, right = [], []
    for question in questions:
        without = [] if question.itself is None else [question.itself]
        found = finder.find(question.text, share=USUAL_SHARE, without=without)
        rows.append(evidence(question.text, found, rarity=finder.rarity))
        right.append(found[0].leads_to in question.right)
    _, groups = np.unique([question.text for question in questions], return_inverse=True)
    answerable = np.array([bool(question.right) for question in questions])
    return Asked(np.stack(rows), np.array(right), groups, answerable)


def summary(label: str, asked: Asked, outcomes: Sequence[Outcome]) -> list[Figure]:
    """The share of resplits that broke the promise, how much was answered, and how wrongly."""
    broken, silent = broken_share(outcomes), sum(not one.promised for one in outcomes)
    return [
        Figure(
            name=f"{label}: share of {len(outcomes)} resplits with more than {ALPHA} wrong among the answered",
            value=round(broken, 4),
            unit="",
            goal=f"at most {DELTA}",
            met=broken <= DELTA,
        ),
        Figure(
            name=f"{label}: answered, {silent} resplits without a threshold",
            value=round(coverage(outcomes), 4),
            unit="",
            goal="shown",
            met=True,
        ),
        Figure(
            name=f"{label}: wrong among the answered",
            value=round(mean_error(outcomes), 4),
            unit="",
            against=round(1 - float(asked.right.mean()), 4),
            goal="shown, against answering all",
            met=True,
        ),
    ]
