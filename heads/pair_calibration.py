"""How likely it is that two values belong together, from the cosine of their vectors."""

import numpy as np

from heads.decoder import Outputs, Truth

OTHERS = 32
# A logistic curve over few or separable pairs would become a step: a normal prior around the start holds against that.
START = np.array([10.0, 0.0])
DEVIATION = np.array([10.0, 5.0])


def fit_belonging(outputs: Outputs, truth: Truth) -> tuple[float, float]:
    """Slope and offset of a logistic curve over cosines; the two kinds of pairs weigh alike (Platt 1999).

    Each row's two values belong together; its first and the second of up to 32 later rows do not, unless they do.
    """
    known = np.flatnonzero((truth["first"] >= 0) & (truth["second"] >= 0))
    if len(known) < 2:
        return float(START[0]), float(START[1])
    first, second = outputs["first"][known].astype(np.float64), outputs["second"][known].astype(np.float64)
    numbers = truth["first"][known], truth["second"][known]
    together = (first * second).sum(axis=1)
    apart = np.concatenate(
        [strangers(first, second, numbers, shift) for shift in range(1, min(OTHERS, len(known) - 1) + 1)]
    )
    if not len(apart):
        return float(START[0]), float(START[1])

    def loss(curve: np.ndarray) -> float:
        prior = 0.5 * (((curve - START) / DEVIATION) ** 2).sum() / len(known)
        right = np.logaddexp(0.0, -(curve[0] * together + curve[1])).mean()
        wrong = np.logaddexp(0.0, curve[0] * apart + curve[1]).mean()
        return float(0.5 * (right + wrong) + prior)

    # Serving imports this module and never fits: scipy would cost it most of a second.
    from scipy.optimize import minimize

    slope, offset = minimize(loss, START, method="L-BFGS-B").x
    return float(slope), float(offset)


def strangers(first: np.ndarray, second: np.ndarray, numbers: tuple[np.ndarray, np.ndarray], shift: int) -> np.ndarray:
    """Cosines of each row's first with the second of the row `shift` later, where no row holds these two together."""
    width = int(numbers[1].max()) + 1
    apart = ~np.isin(numbers[0] * width + np.roll(numbers[1], -shift), numbers[0] * width + numbers[1])
    cosines: np.ndarray = (first * np.roll(second, -shift, axis=0)).sum(axis=1)[apart]
    return cosines
