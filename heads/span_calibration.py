"""What a span decoder learns from held-out rows: how sure it may be, and when to give no answer."""

from collections.abc import Sequence

import numpy as np

from heads.calibration import LIMITS, PRIOR_DEVIATION
from heads.decoder import Truth
from heads.span_candidates import Candidates


def best_margin(leads: np.ndarray, *, answered: np.ndarray, unanswered: np.ndarray) -> float | None:
    """The margin above which "no answer" is given, for the best mean F1: Rajpurkar et al., "SQuAD 2.0" (2018).

    `answered` and `unanswered` are each row's F1 with its best span and with none. Of equal margins the one nearest to
    0 is taken; None, always an answer, where no row is better without one.
    """
    if not (unanswered > answered).any():
        return None
    order = np.argsort(leads, kind="stable")
    sorted_leads = leads[order]
    # Entry k is what is gained when the k rows with the smallest leads are answered.
    gains = np.concatenate([[0.0], np.cumsum((answered - unanswered)[order])])
    ends = [sorted_leads[0] - 1.0], sorted_leads, [sorted_leads[-1] + 1.0]
    bounds = np.concatenate(ends)
    apart = np.diff(bounds) > 0
    margins, gains = ((bounds[1:] + bounds[:-1]) / 2)[apart], gains[apart]
    best = np.flatnonzero(gains >= gains.max() - 1e-9)
    return float(margins[best[np.abs(margins[best]).argmin()]])


def fit_temperature(found: Sequence[Candidates], truth: Truth) -> float:
    """The most likely temperature with a weak prior around 1, as for classes; 1.0 where no right answer is found."""
    width = max((len(each.scores) for each in found), default=0) + 1
    scores = np.full((len(found), width), -np.inf)
    right = np.zeros((len(found), width), dtype=bool)
    for row, (each, start, end) in enumerate(zip(found, truth["start"], truth["end"], strict=True)):
        count = len(each.scores)
        scores[row, :count], scores[row, -1] = each.scores, each.none
        right[row, :count] = (each.starts == start) & (each.ends == end)
        right[row, -1] = start == end == 0
    known = right.any(axis=1) & np.isfinite(scores).any(axis=1)
    if not known.any():
        return 1.0
    scores, right = scores[known], right[known]
    # Serving imports this module and never fits: scipy would cost it most of a second.
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    def loss(log_temperature: float) -> float:
        scaled = scores / np.exp(log_temperature)
        on_right = logsumexp(np.where(right, scaled, -np.inf), axis=1)
        prior = 0.5 * (log_temperature / PRIOR_DEVIATION) ** 2 / len(scaled)
        return float((logsumexp(scaled, axis=1) - on_right).mean() + prior)

    best = minimize_scalar(loss, bounds=tuple(np.log(LIMITS)), method="bounded")
    return float(np.exp(best.x))


def lead(found: Candidates) -> float:
    """How far "no answer" is above the best span, of which there is one."""
    return found.none - float(found.scores[0])
