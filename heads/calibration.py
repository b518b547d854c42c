"""Temperature scaling: one number, fitted on held-out rows, that makes probabilities honest.

Guo et al., "On Calibration of Modern Neural Networks" (2017).
"""

import numpy as np

LIMITS = (0.05, 20.0)
# A few rows that are all right would make every answer certain: a normal prior on ln(temperature) holds against that.
PRIOR_DEVIATION = 0.5


def fit_temperature(logits: np.ndarray, truth: np.ndarray, *, multilabel: bool) -> float:
    """The most likely temperature, with a weak prior around 1, over logits [rows, labels]; 1.0 where there are no rows.

    `truth` holds label numbers [rows] (rows of -1, an unknown label, are left out) or a mask [rows, labels].
    """
    # Serving imports this module and never fits: scipy would cost it a fifth of a second.
    from scipy.optimize import minimize_scalar

    known = np.ones(len(truth), dtype=bool) if multilabel else truth >= 0
    if not known.any():
        return 1.0
    chosen, target = logits[known].astype(np.float64), truth[known]

    def loss(log_temperature: float) -> float:
        prior = 0.5 * (log_temperature / PRIOR_DEVIATION) ** 2 / len(chosen)
        return negative_log_likelihood(chosen / np.exp(log_temperature), target, multilabel=multilabel) + prior

    found = minimize_scalar(loss, bounds=tuple(np.log(LIMITS)), method="bounded")
    return float(np.exp(found.x))


def negative_log_likelihood(logits: np.ndarray, truth: np.ndarray, *, multilabel: bool) -> float:
    """Mean over rows, or for masks over all decisions."""
    if multilabel:
        return float((np.logaddexp(0.0, logits) - truth * logits).mean())
    own = logits[np.arange(len(truth)), truth]
    return float((np.logaddexp.reduce(logits, axis=1) - own).mean())
