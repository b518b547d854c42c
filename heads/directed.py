"""Macro F1 over relations that have a direction, as the scorer of SemEval-2010 task 8 counts it."""

import re
from collections.abc import Callable, Sequence

import numpy as np

DIRECTED = re.compile(r"(.+)\((e1,e2|e2,e1)\)")
UNKNOWN = -1


class DirectedMacroF1:
    """Mean F1 over the relations that occur in the truth, for labels of the form `Name(e1,e2)`.

    A prediction is right when name and direction are; one with the right name and the wrong direction is a false
    positive and a false negative of that name. Labels without a direction (`Other`) are no relation: they only count
    as what was missed or wrongly found. Hendrickx et al., "SemEval-2010 Task 8" (2010), the official score of
    `semeval2010_task8_scorer-v1.2.pl`. Truth and predictions are numbers of `labels` [rows]; a number that is none
    (below 0, or past the last) is a label without a direction.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        names = [directed_name(label) for label in labels]
        self.names = tuple(sorted({name for name in names if name is not None}))
        self._name_of = np.array([UNKNOWN if name is None else self.names.index(name) for name in names], dtype=int)

    def __call__(self, truth: np.ndarray, predicted: np.ndarray) -> float:
        """The score, 0..1; 0 where no relation occurs in the truth."""
        true_names, predicted_names = self._named(truth), self._named(predicted)
        hits = self._count(true_names[truth == predicted])
        true_count, predicted_count = self._count(true_names), self._count(predicted_names)
        present = true_count > 0
        scores = 2.0 * hits[present] / (true_count + predicted_count)[present]
        return float(scores.mean()) if scores.size else 0.0

    def _named(self, numbers: np.ndarray) -> np.ndarray:
        inside = (numbers >= 0) & (numbers < len(self._name_of))
        return np.where(inside, self._name_of[np.where(inside, numbers, 0)], UNKNOWN)

    def _count(self, names: np.ndarray) -> np.ndarray:
        return np.bincount(names[names >= 0], minlength=len(self.names))


def directed_macro_f1(labels: Sequence[str]) -> Callable[[np.ndarray, np.ndarray], float] | None:
    """The scorer for these labels, or None where none of them has a direction."""
    scorer = DirectedMacroF1(labels)
    return scorer if scorer.names else None


def directed_name(label: str) -> str | None:
    """`Cause-Effect` of `Cause-Effect(e2,e1)`; None for a label without a direction."""
    found = DIRECTED.fullmatch(label)
    return found.group(1) if found else None
