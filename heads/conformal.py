"""Conformal sets of labels: so many that the right one is among them in 1 - alpha of all rows.

Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World" (2005); Angelopoulos and Bates, "A Gentle
Introduction to Conformal Prediction" (2021). The promise is for rows that come as the held-out rows came (exchangeable
with them), on average over draws of these; it says nothing of a row by itself, nor of a label, unless `per_class`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil, inf, isfinite
from typing import Any, Literal

import numpy as np

from heads.metrics import share_interval

SetScore = Literal["lac", "aps", "raps"]


@dataclass(frozen=True)
class ConformalSets:
    """How strange a label may be and still be in the set: its score is at most its threshold.

    `lac` is 1 minus the label's probability (Sadinle, Lei and Wasserman, "Least Ambiguous Set-Valued Classifiers with
    Bounded Error Levels", 2019): the smallest sets, of which some may be empty. `aps` is the probability of all labels
    above it (Romano, Sesia and Candes, "Classification with Valid and Adaptive Coverage", 2020, with the random number
    at 1, so that a row always gets the same set and never an empty one). `raps` adds `penalty` for each rank beyond
    `free_labels` (Angelopoulos et al., "Uncertainty Sets for Image Classifiers", 2021).

    `thresholds` has one a label, all alike unless `per_class`; it is empty until `fit`, and infinite where the rows are
    too few to exclude anything. Multilabel knows `lac` alone, and its set holds all of a row's labels.
    """

    alpha: float = 0.1
    per_class: bool = False
    score: SetScore = "lac"
    penalty: float = 0.01
    free_labels: int = 5
    thresholds: tuple[float, ...] = ()

    def fit(self, probabilities: np.ndarray, truth: np.ndarray) -> "ConformalSets":
        """With thresholds from held-out rows: probabilities [rows, labels], label numbers [rows] or a mask.

        Rows of unknown labels, and multilabel rows without any, are left out. With `per_class`, labels of fewer rows
        than `least_rows(alpha)` share one threshold, over all their rows together.
        """
        scores, labels = self.scores(probabilities), probabilities.shape[1]
        own = np.where(truth, scores, -inf) if truth.ndim == 2 else scores_of_truth(scores, truth)
        if not self.per_class:
            strangest = own.max(axis=1, initial=-inf)
            thresholds = [quantile(strangest[strangest > -inf], alpha=self.alpha)] * labels
        else:
            thresholds = thresholds_by_label(own, alpha=self.alpha)
        return replace(self, thresholds=tuple(thresholds))

    def scores(self, probabilities: np.ndarray) -> np.ndarray:
        """How strange each label is, [rows, labels]."""
        if self.score == "lac":
            return np.asarray(1.0 - probabilities)
        order = np.argsort(-probabilities, axis=1, kind="stable")
        ranked = np.take_along_axis(probabilities, order, axis=1)
        above = np.cumsum(ranked, axis=1) - ranked
        if self.score == "raps":
            ranks = np.arange(1, probabilities.shape[1] + 1)
            above = above + self.penalty * np.maximum(ranks - self.free_labels, 0)
        scores: np.ndarray = np.empty_like(above)
        np.put_along_axis(scores, order, above, axis=1)
        return np.asarray(scores)

    def sets(self, probabilities: np.ndarray) -> np.ndarray:
        """Which labels are in each row's set, bool [rows, labels]."""
        return np.asarray(self.scores(probabilities) <= np.array(self.thresholds))

    def measure(self, probabilities: np.ndarray, truth: np.ndarray) -> dict[str, float]:
        """Coverage with its 95% interval, and the sets' sizes; nothing where no row has a known label."""
        sets, covered = self._covered(probabilities, truth)
        if not len(covered):
            return {}
        low, high = share_interval(int(covered.sum()), len(covered))
        sizes = sets.sum(axis=1)
        return {
            "coverage": float(covered.mean()),
            "coverage_low": low,
            "coverage_high": high,
            "set_size": float(sizes.mean()),
            "single_sets": float((sizes == 1).mean()),
            "empty_sets": float((sizes == 0).mean()),
        }

    def coverage_by_label(self, probabilities: np.ndarray, truth: np.ndarray) -> dict[int, float]:
        """Label number -> in how many of its rows it is in the set; labels without rows are left out."""
        sets = self.sets(probabilities)
        labels = np.arange(probabilities.shape[1])
        mask = truth if truth.ndim == 2 else truth[:, None] == labels
        return {int(label): float(sets[mask[:, label], label].mean()) for label in labels if mask[:, label].any()}

    def _covered(self, probabilities: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The sets of the rows that have a known label, and whether all of a row's labels are in its set."""
        sets = self.sets(probabilities)
        if truth.ndim == 2:
            known = truth.any(axis=1)
            return sets[known], (sets[known] | ~truth[known]).all(axis=1)
        known = truth >= 0
        return sets[known], sets[known][np.arange(known.sum()), truth[known]]

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads; an infinite threshold is null."""
        facts = {"alpha": self.alpha, "per_class": self.per_class, "score": self.score}
        thresholds = [threshold if isfinite(threshold) else None for threshold in self.thresholds]
        return {**facts, "penalty": self.penalty, "free_labels": self.free_labels, "thresholds": thresholds}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ConformalSets":
        """Read what `to_json` gave."""
        thresholds = tuple(inf if threshold is None else threshold for threshold in value["thresholds"])
        return cls(**{**value, "thresholds": thresholds})


def least_rows(alpha: float) -> int:
    """The fewest rows whose threshold excludes anything: of n, the ceil((n + 1)(1 - alpha))-th must be there."""
    rows = max(ceil(1.0 / alpha) - 2, 1)
    while rank(rows, alpha=alpha) > rows:
        rows += 1
    return rows


def rank(rows: int, *, alpha: float) -> int:
    """Which of so many scores, counted from the smallest, is the threshold."""
    # A product such as 10 * 0.9 may lie a rounding error above the whole number that it is.
    return ceil((rows + 1) * (1.0 - alpha) - 1e-9)


def quantile(scores: np.ndarray, *, alpha: float) -> float:
    """The threshold over scores [rows]; infinite where they are too few."""
    place = rank(len(scores), alpha=alpha)
    return float(np.sort(scores)[place - 1]) if place <= len(scores) else inf


def scores_of_truth(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The scores of right labels [rows, labels]; -inf elsewhere."""
    return np.where(truth[:, None] == np.arange(scores.shape[1]), scores, -inf)


def thresholds_by_label(own: np.ndarray, *, alpha: float) -> list[float]:
    """A threshold for each label, from the scores of right labels [rows, labels], -inf elsewhere.

    Mondrian: Vovk, "Conditional Validity of Inductive Conformal Predictors" (2012). Labels with too few rows are one
    class together; where even that has too few, they are in every set.
    """
    least = least_rows(alpha)
    rows = [column[column > -inf] for column in own.T]
    rare = [scores for scores in rows if len(scores) < least]
    shared = quantile(np.concatenate(rare), alpha=alpha) if rare else inf
    return [quantile(scores, alpha=alpha) if len(scores) >= least else shared for scores in rows]
