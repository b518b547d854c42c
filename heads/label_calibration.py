"""Calibration of each label by itself, against all others: Platt's sigmoid and isotonic steps.

Both read a label's log-odds in the head's own softmax (or sigmoid, for multilabel) and give its probability; where a
row has one label, its probabilities are divided by their sum (Zadrozny and Elkan, "Transforming Classifier Scores into
Accurate Multiclass Probability Estimates", 2002). Labels that the rows never have, or always, stay as they are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from heads.probabilities import sigmoid, softmax

Curve = tuple[tuple[float, ...], tuple[float, ...]]
Method = Literal["platt", "isotonic"]


@dataclass(frozen=True)
class LabelCurves:
    """One curve a label. `rows` is how many rows they were fitted on.

    Of `platt` a curve is `((slope,), (offset,))` of a sigmoid over log-odds; of `isotonic` the log-odds and the
    probabilities of its corners, between which it is straight. An empty curve leaves its label as it is.
    """

    method: Method
    curves: tuple[Curve, ...]
    rows: int

    @classmethod
    def fit(cls, logits: np.ndarray, truth: np.ndarray, *, method: Method, multilabel: bool) -> "LabelCurves":
        """The curves over logits [rows, labels]; `truth` as `heads.calibration.fit_temperature` takes it."""
        known = np.ones(len(truth), dtype=bool) if multilabel else truth >= 0
        odds, target = log_odds(logits[known], multilabel=multilabel), truth[known]
        mask = target if multilabel else target[:, None] == np.arange(logits.shape[1])
        fitted = {"platt": platt_curve, "isotonic": isotonic_curve}[method]
        curves = tuple(label_curve(odds[:, label], mask[:, label], fit=fitted) for label in range(logits.shape[1]))
        return cls(method=method, curves=curves, rows=int(known.sum()))

    def probabilities(self, logits: np.ndarray, *, multilabel: bool) -> np.ndarray:
        """[rows, labels], in 0..1; rows add up to 1 unless multilabel."""
        own = sigmoid(logits.astype(np.float64)) if multilabel else softmax(logits.astype(np.float64))
        odds = log_odds(logits, multilabel=multilabel)
        found = np.empty_like(own)
        for label, curve in enumerate(self.curves):
            found[:, label] = self._curve(curve, odds[:, label]) if curve[0] else own[:, label]
        if self.method == "isotonic":
            # Steps give 0, 1 and ties: the head's own probabilities speak like one more row, which orders these.
            share = 1.0 / (self.rows + 1)
            found = (1.0 - share) * found + share * own
        return found if multilabel else found / found.sum(axis=1, keepdims=True)

    def _curve(self, curve: Curve, odds: np.ndarray) -> np.ndarray:
        first, second = curve
        if self.method == "isotonic":
            return np.asarray(np.interp(odds, first, second))
        return sigmoid(first[0] * odds + second[0])

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads."""
        curves = [[list(first), list(second)] for first, second in self.curves]
        return {"method": self.method, "curves": curves, "rows": self.rows}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "LabelCurves":
        """Read what `to_json` gave."""
        curves = tuple((tuple(first), tuple(second)) for first, second in value["curves"])
        return cls(method=value["method"], curves=curves, rows=value["rows"])


def log_odds(logits: np.ndarray, *, multilabel: bool) -> np.ndarray:
    """Each label's log-odds [rows, labels]: against all others together, or for multilabel the logit itself."""
    exact = logits.astype(np.float64)
    if multilabel or exact.shape[1] < 2:
        return exact
    others = np.empty_like(exact)
    for label in range(exact.shape[1]):
        others[:, label] = np.logaddexp.reduce(np.delete(exact, label, axis=1), axis=1)
    return exact - others


def label_curve(odds: np.ndarray, mask: np.ndarray, *, fit: Callable[[np.ndarray, np.ndarray], Curve]) -> Curve:
    """One label's curve; an empty one where its rows are all alike."""
    return fit(odds, mask) if mask.any() and not mask.all() else ((), ())


def platt_curve(odds: np.ndarray, mask: np.ndarray) -> Curve:
    """Slope and offset of the most likely sigmoid, over targets that are held back from 0 and 1.

    Platt, "Probabilistic Outputs for Support Vector Machines" (1999): with p rows of the label and n others, these
    are (p + 1) / (p + 2) and 1 / (n + 2).
    """
    # Serving imports this module and never fits.
    from scipy.optimize import minimize

    positive = int(mask.sum())
    target = np.where(mask, (positive + 1) / (positive + 2), 1 / (len(mask) - positive + 2))

    def loss(line: np.ndarray) -> tuple[float, np.ndarray]:
        logit = line[0] * odds + line[1]
        slack = sigmoid(logit) - target
        return float((np.logaddexp(0.0, logit) - target * logit).sum()), np.array([slack @ odds, slack.sum()])

    found = minimize(loss, x0=np.array([1.0, 0.0]), jac=True, method="BFGS").x
    return (float(found[0]),), (float(found[1]),)


def isotonic_curve(odds: np.ndarray, mask: np.ndarray) -> Curve:
    """Log-odds and probability at both ends of each step of the best rising curve, by pooling adjacent violators.

    Ayer et al., "An Empirical Distribution Function for Sampling with Incomplete Information" (1955). Rows of the same
    log-odds count as one, by their mean.
    """
    from scipy.optimize import isotonic_regression

    places, inverse, counts = np.unique(odds, return_inverse=True, return_counts=True)
    means = np.bincount(inverse, weights=mask) / counts
    found = isotonic_regression(means, weights=counts)
    first, last = found.blocks[:-1], found.blocks[1:] - 1
    corners = np.unique(np.concatenate([first, last]))
    return tuple(places[corners].tolist()), tuple(np.clip(found.x[corners], 0.0, 1.0).tolist())
