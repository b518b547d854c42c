"""Classification metrics in numpy. Truth and predictions are label numbers [rows], multilabel masks [rows, labels]."""

import numpy as np


def accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Share of rows that are right; for masks, of rows that are right in every label."""
    right = truth == predicted
    return float((right.all(axis=1) if right.ndim == 2 else right).mean())


def macro_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean F1 over the labels that occur in the truth or in the predictions."""
    hits, predicted_count, true_count = label_counts(truth, predicted)
    seen = (predicted_count + true_count) > 0
    scores = 2.0 * hits[seen] / (predicted_count + true_count)[seen]
    return float(scores.mean()) if scores.size else 0.0


def micro_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """F1 over all decisions together."""
    hits, predicted_count, true_count = label_counts(truth, predicted)
    return float(2.0 * hits.sum() / max(float((predicted_count + true_count).sum()), 1.0))


def label_counts(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per label: rows right, rows predicted, rows true."""
    if truth.ndim == 2:
        return (truth & predicted).sum(axis=0), predicted.sum(axis=0), truth.sum(axis=0)
    # Labels that the other side does not know (below 0) are never right: they take the place after the last.
    labels = int(max(truth.max(initial=-1), predicted.max(initial=-1))) + 1
    hits = np.bincount(truth[(truth == predicted) & (truth >= 0)], minlength=labels + 1)
    predicted_count, true_count = (
        np.bincount(np.where(numbers < 0, labels, numbers), minlength=labels + 1) for numbers in (predicted, truth)
    )
    return hits, predicted_count, true_count


def expected_calibration_error(confidence: np.ndarray, right: np.ndarray, *, bins: int = 15) -> float:
    """Mean distance of confidence and accuracy over equal-width bins, weighted by their rows.

    Guo et al., "On Calibration of Modern Neural Networks" (2017). Both arrays are [rows].
    """
    places = np.clip((confidence * bins).astype(int), 0, bins - 1)
    rows = np.bincount(places, minlength=bins)
    filled = rows > 0
    mean_confidence = np.bincount(places, weights=confidence, minlength=bins)[filled] / rows[filled]
    mean_right = np.bincount(places, weights=right.astype(float), minlength=bins)[filled] / rows[filled]
    return float((np.abs(mean_confidence - mean_right) * rows[filled]).sum() / max(len(confidence), 1))


def share_interval(hits: int, rows: int, *, deviations: float = 1.96) -> tuple[float, float]:
    """The interval of a share, 95% by default; unlike others it holds near 0 and 1 (Wilson, 1927)."""
    share, spread = hits / rows, deviations**2 / rows
    middle = share + spread / 2
    reach = deviations * ((share * (1 - share) + spread / 4) / rows) ** 0.5
    return max(float((middle - reach) / (1 + spread)), 0.0), min(float((middle + reach) / (1 + spread)), 1.0)


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """How often a score of `outside` is above one of `inside`, ties half: the area under the ROC curve.

    Mann and Whitney (1947), by ranks.
    """
    both = np.concatenate([inside, outside])
    _, inverse, counts = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    above = ranks[len(inside) :].sum() - len(outside) * (len(outside) + 1) / 2
    return float(above / (len(inside) * len(outside)))
