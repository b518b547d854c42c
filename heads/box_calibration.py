"""What a detector's score means: how often a box with it is right, and from which score on it is worth showing."""

from dataclasses import dataclass

import numpy as np

from heads.probabilities import sigmoid

# A few boxes that are all right would make every box certain: normal priors on both parameters hold against that.
PRIOR_DEVIATION = 2.0
SMALLEST = 1e-6


@dataclass(frozen=True)
class Scaling:
    """Probability from a score in 0..1: the logistic function of `slope` x logit + `shift`."""

    slope: float = 1.0
    shift: float = 0.0

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities, in the order of the scores."""
        kept = scores.astype(np.float64).clip(SMALLEST, 1.0 - SMALLEST)
        return sigmoid(self.slope * (np.log(kept) - np.log1p(-kept)) + self.shift)


UNCHANGED = Scaling()


def fit_scaling(scores: np.ndarray, right: np.ndarray) -> Scaling:
    """The most likely scaling over boxes with these scores, of which some were right (1) and some not (0).

    Platt, "Probabilistic Outputs for Support Vector Machines" (1999), with weak priors around the plain score.
    """
    if not len(scores):
        return UNCHANGED

    def cost(parameters: np.ndarray) -> float:
        slope, shift = parameters
        chance = Scaling(float(np.exp(slope)), float(shift))(scores).clip(SMALLEST, 1.0 - SMALLEST)
        likelihood = right * np.log(chance) + (1.0 - right) * np.log1p(-chance)
        return float(-likelihood.sum() + 0.5 * (parameters**2).sum() / PRIOR_DEVIATION**2)

    # Serving imports this module and never fits: scipy would cost it most of a second.
    from scipy.optimize import minimize

    slope, shift = minimize(cost, np.zeros(2), method="Nelder-Mead").x
    return Scaling(slope=float(np.exp(slope)), shift=float(shift))


def best_threshold(probabilities: np.ndarray, right: np.ndarray, *, true: int) -> float:
    """The probability from which on boxes have the best F1, of `true` boxes that there are; 0.5 without a right one."""
    order = np.argsort(-probabilities, kind="stable")
    rightly = np.cumsum(right[order])
    if not len(order) or not rightly[-1]:
        return 0.5
    scores = 2.0 * rightly / (np.arange(1, len(order) + 1) + true)
    return float(probabilities[order[scores.argmax()]])
