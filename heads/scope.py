"""Whether a row looks like anything in training: a score that is higher the stranger a row, and a threshold.

Which labels the training rows had is all that a classifier knows; a row of another label gets one of them all the same,
unless its strangeness is measured.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import floor, inf, isfinite
from typing import Any, Literal

import numpy as np

from heads.bootstrap import interval
from heads.decoder import Outputs, rows_of
from heads.metrics import auroc
from heads.probabilities import softmax

ScopeScore = Literal["combined", "probability", "energy", "max_logit", "entropy", "distance"]
FUSED = "fused_embedding"
RESAMPLES = 1000
# Of each label's training rows: one centre speaks badly for a label that is said in many ways, and all rows are many.
CENTRES, ROWS_A_CENTRE = 8, 4
PLAIN = (0.0, 1.0)


@dataclass(frozen=True)
class Scope:
    """How strange a row may be: rows with a score above `threshold` are out of scope.

    The scores read the head's own logits, before any calibration: `probability`, 1 minus the highest (Hendrycks and
    Gimpel, "A Baseline for Detecting Misclassified and Out-of-Distribution Examples", 2017); `energy`, minus their
    log-sum-exp (Liu et al., "Energy-based Out-of-distribution Detection", 2020); `max_logit`, minus the highest
    (Hendrycks et al., "Scaling Out-of-Distribution Detection for Real-World Settings", 2022); `entropy`, in nats.
    `distance` is 1 minus the cosine between the fused embedding and the nearest of `centres` [centres, dim], both from
    the `middle` of the training rows; each label has up to eight, by k-means over its rows. `combined` is the sum of
    `probability` and `distance`, each in deviations from its mean over the held-out rows (`scales`): the head's doubt
    and the distance see different strangers. Both need the head's output `fused_embedding` and `learn`.

    `share` of the held-out rows, at most, lies above the threshold, which is infinite until `fit`.
    """

    score: ScopeScore = "combined"
    share: float = 0.05
    threshold: float = inf
    centres: tuple[tuple[float, ...], ...] = ()
    middle: tuple[float, ...] = ()
    scales: tuple[tuple[float, float], tuple[float, float]] = (PLAIN, PLAIN)

    @property
    def reads_fused(self) -> bool:
        """Whether the score needs the fused embedding, and the training rows' before any other."""
        return self.score in {"combined", "distance"}

    @property
    def ready(self) -> bool:
        """Whether it can score rows: a distance cannot before it has seen the training rows."""
        return bool(self.centres) or not self.reads_fused

    def learn(self, outputs: Outputs, truth: np.ndarray) -> "Scope":
        """With the centres of the training rows; labels without rows have none."""
        if not self.reads_fused:
            return self
        fused = outputs[FUSED].astype(np.float64)
        labels = [fused[truth == label] for label in np.unique(truth[truth >= 0])]
        middle = np.mean([rows.mean(axis=0) for rows in labels], axis=0)
        found = np.concatenate([centres_of(unit(rows - middle)) for rows in labels])
        return replace(self, centres=tuple(map(short, unit(found))), middle=short(middle))

    def fit(self, outputs: Outputs, truth: np.ndarray) -> "Scope":
        """With the threshold above which at most `share` of these rows lie; rows of unknown labels are left out."""
        known = rows_of(outputs, truth >= 0)
        ready = self if self.score != "combined" else self._scaled(known)
        scores = np.sort(ready.scores(known))
        place = len(scores) - 1 - floor(self.share * len(scores) + 1e-9)
        return replace(ready, threshold=float(scores[place]) if place >= 0 else inf)

    def scores(self, outputs: Outputs) -> np.ndarray:
        """How strange each row is, [rows]."""
        if self.score == "distance":
            return self._distances(outputs)
        if self.score == "combined":
            parts = zip(self._parts(outputs), self.scales, strict=True)
            return np.asarray(sum((part - mean) / deviation for part, (mean, deviation) in parts))
        return SCORES[self.score](outputs["logits"].astype(np.float64))

    def _distances(self, outputs: Outputs) -> np.ndarray:
        directions = unit(outputs[FUSED].astype(np.float64) - np.array(self.middle))
        return np.asarray(1.0 - (directions @ np.array(self.centres).T).max(axis=1, initial=-1.0))

    def _parts(self, outputs: Outputs) -> tuple[np.ndarray, np.ndarray]:
        return doubt(outputs["logits"].astype(np.float64)), self._distances(outputs)

    def _scaled(self, known: Outputs) -> "Scope":
        """With the mean and the deviation of either part over held-out rows; without rows, as they are."""
        if not len(known["logits"]):
            return self
        one, other = (
            (float(f"{part.mean():.6g}"), float(f"{max(part.std(), 1e-6):.6g}")) for part in self._parts(known)
        )
        return replace(self, scales=(one, other))

    def inside(self, outputs: Outputs) -> np.ndarray:
        """Which rows are in scope, bool [rows]."""
        return np.asarray(self.scores(outputs) <= self.threshold)

    def measure(self, outputs: Outputs, *, known: np.ndarray, unknown: np.ndarray) -> dict[str, float]:
        """The shares refused of `known` and of `unknown` rows, bool [rows], and how well the score tells them apart.

        `unknown_auroc` has a 95% interval by bootstrap over the rows of each.
        """
        scores, refused = self.scores(outputs), ~self.inside(outputs)
        figures = {"scope_refused": float(refused[known].mean())} if known.any() else {}
        if not (known.any() and unknown.any()):
            return figures
        low, high = auroc_interval(scores[known], scores[unknown])
        figures["unknown_refused"] = float(refused[unknown].mean())
        figures["unknown_auroc"] = auroc(scores[known], scores[unknown])
        return {**figures, "unknown_auroc_low": low, "unknown_auroc_high": high}

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads; an infinite threshold is null."""
        threshold = self.threshold if isfinite(self.threshold) else None
        facts = {"score": self.score, "share": self.share, "threshold": threshold}
        if not self.centres:
            return facts
        learned = {"centres": [list(centre) for centre in self.centres], "middle": list(self.middle)}
        return {**facts, **learned, "scales": [list(scale) for scale in self.scales]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Scope":
        """Read what `to_json` gave."""
        return cls(
            score=value["score"],
            share=value["share"],
            threshold=inf if value["threshold"] is None else value["threshold"],
            centres=tuple(map(tuple, value.get("centres", ()))),
            middle=tuple(value.get("middle", ())),
            scales=tuple((mean, deviation) for mean, deviation in value.get("scales", (PLAIN, PLAIN))),  # type: ignore[arg-type]
        )


def energy(logits: np.ndarray) -> np.ndarray:
    """Minus the log-sum-exp of each row."""
    return np.asarray(-np.logaddexp.reduce(logits, axis=1))


def max_logit(logits: np.ndarray) -> np.ndarray:
    """Minus the highest of each row."""
    return np.asarray(-logits.max(axis=1))


def doubt(logits: np.ndarray) -> np.ndarray:
    """1 minus the highest probability of each row."""
    return np.asarray(1.0 - softmax(logits).max(axis=1))


def entropy(logits: np.ndarray) -> np.ndarray:
    """The entropy of each row's probabilities, in nats."""
    probabilities = softmax(logits)
    return np.asarray(-(probabilities * np.log(np.maximum(probabilities, 1e-300))).sum(axis=1))


SCORES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "probability": doubt,
    "energy": energy,
    "max_logit": max_logit,
    "entropy": entropy,
}


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors [rows, dim] at length 1; zeros stay."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))


def centres_of(rows: np.ndarray) -> np.ndarray:
    """Up to `CENTRES` means of groups of rows [rows, dim] that lie together, always the same for the same rows."""
    from scipy.cluster.vq import kmeans2

    wanted = max(1, min(CENTRES, len(rows) // ROWS_A_CENTRE, len(np.unique(rows, axis=0))))
    if wanted == 1:
        return np.asarray(rows.mean(axis=0, keepdims=True))
    with warnings.catch_warnings():
        # A group may end without a row where rows are alike: its centre then lies on another row, and does no harm.
        warnings.filterwarnings("ignore", message="One of the clusters is empty")
        centres, _ = kmeans2(rows, wanted, minit="++", seed=0)
    return np.asarray(centres)


def short(vector: np.ndarray) -> tuple[float, ...]:
    """A vector in four digits, so that a release does not carry noise."""
    return tuple(float(f"{value:.4g}") for value in vector)


def auroc_interval(inside: np.ndarray, outside: np.ndarray, *, resamples: int = RESAMPLES) -> tuple[float, float]:
    """The 95% percentile interval of the AUROC, both groups drawn again with replacement."""
    random = np.random.default_rng(0)
    drawn = [
        auroc(*(scores[random.integers(0, len(scores), len(scores))] for scores in (inside, outside)))
        for _ in range(resamples)
    ]
    return interval(np.array(drawn), confidence=0.95)
