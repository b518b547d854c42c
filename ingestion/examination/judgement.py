"""Whether a share of right answers is as good as it looks."""

import math

Z = 1.96


def interval(right: int, whole: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927)."""
    if whole == 0:
        return 0.0, 1.0
    share = right / whole
    middle = (share + Z**2 / (2 * whole)) / (1 + Z**2 / whole)
    half = Z * math.sqrt(share * (1 - share) / whole + Z**2 / (4 * whole**2)) / (1 + Z**2 / whole)
    return middle - half, middle + half


def nearly_perfect(low: float, baseline: float, *, least: float = 0.95, errors_left: float = 0.2) -> bool:
    """Whether even the interval's lower end is at least `least`, and makes at most a fifth of the baseline's errors."""
    return low >= least and (1 - low) <= errors_left * (1 - baseline)
