"""The gate's look at parts of the rows: a model that is better in all may be worse for some.

A part is refused on evidence of harm, as the whole is. Of many parts one is worse by luck, so that each is asked for so
much more evidence that all of them together are right as often (Bonferroni), by the normal distribution of resamples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from heads.bootstrap import resampled
from heads.decoder import Scorer

MISSING = "(none)"


@dataclass(frozen=True)
class SliceVerdict:
    """The rows that have a value in a column; a figure is None where there is no such number.

    `low` and `high` bound the difference to the champion, so that the intervals of all slices hold together.
    """

    column: str
    value: str
    rows: int
    passed: bool
    reason: str
    challenger_value: float | None = None
    champion_value: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None


def judge_slices(
    columns: Mapping[str, Sequence[object]],
    *,
    scorer: Scorer,
    truth: np.ndarray,
    challenger: np.ndarray,
    champion: np.ndarray | None,
    margin: float,
    seed: int,
    minimum: float | None = None,
    least_rows: int = 30,
    confidence: float = 0.95,
    resamples: int = 1000,
) -> list[SliceVerdict]:
    """One verdict for each value of each column [rows], the worst first; values with fewer rows tell nothing and pass.

    A slice fails where its whole interval lies below -`margin`, or its own score below `minimum`.
    """
    parts = [
        (column, value, rows) for column, values in columns.items() for value, rows in parts_of(values) if len(rows)
    ]
    judged = sum(len(rows) >= least_rows for _, _, rows in parts)
    level = 1 - (1 - confidence) / max(1, judged)
    found = []
    for column, value, rows in parts:
        if len(rows) < least_rows:
            reason = f"{len(rows)} rows are too few to tell; {least_rows} are needed"
            found.append(SliceVerdict(column, value, len(rows), passed=True, reason=reason))
            continue
        outputs = [challenger[rows]] if champion is None else [challenger[rows], champion[rows]]
        figures = measured(scorer, truth[rows], outputs, level=level, resamples=resamples, seed=seed)
        passed, reason = decided(figures, margin=margin, minimum=minimum)
        found.append(SliceVerdict(column, value, len(rows), passed=passed, reason=reason, **figures))
    return sorted(found, key=lambda one: (one.passed, one.difference is None, one.difference or 0.0))


def parts_of(values: Sequence[object]) -> list[tuple[str, np.ndarray]]:
    """The rows of each value, in the order of the values."""
    named = [MISSING if value is None else str(value) for value in values]
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(named):
        rows.setdefault(name, []).append(row)
    return [(name, np.array(rows[name])) for name in sorted(rows)]


def measured(
    scorer: Scorer, truth: np.ndarray, outputs: Sequence[np.ndarray], *, level: float, resamples: int, seed: int
) -> dict[str, float | None]:
    """Both scores and the interval of their difference; None for what is no number."""
    values = [plain(scorer(truth, output)) for output in outputs]
    if len(values) == 1 or None in values:
        return {"challenger_value": values[0], "champion_value": values[1] if len(values) > 1 else None}
    samples = resampled(scorer, truth, outputs, resamples=resamples, seed=seed)
    effects = samples[:, 0] - samples[:, 1]
    difference = float(values[0] or 0.0) - float(values[1] or 0.0)
    reach = NormalDist().inv_cdf((1 + level) / 2) * float(np.nanstd(effects))
    return {
        "challenger_value": values[0],
        "champion_value": values[1],
        "difference": difference,
        "low": difference - reach,
        "high": difference + reach,
    }


def decided(figures: Mapping[str, float | None], *, margin: float, minimum: float | None) -> tuple[bool, str]:
    """Whether a slice passes, and why."""
    own, high = figures["challenger_value"], figures.get("high")
    if own is None:
        return False, "its score is not a number"
    if minimum is not None and own < minimum:
        return False, f"{own:.4f} is below the minimum of {minimum:g}"
    if high is not None and high < -margin:
        return False, "worse" + (f" by more than the margin of {margin:g}" if margin else "")
    return True, "no significant harm" if high is not None else "nothing to compare with"


def plain(value: float) -> float | None:
    """A number, or None for what is none."""
    return float(value) if np.isfinite(value) else None
