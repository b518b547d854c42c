"""The gate: may a challenger replace the champion? Both are scored now, on the same rows, with an interval.

The interval is a percentile bootstrap over rows, paired: see `heads.bootstrap`.
"""

import dataclasses
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from heads.bootstrap import interval, resampled
from heads.decoder import Scorer
from polyloom.errors import RequestError
from releases.gate_slices import SliceVerdict

Rule = Literal["not_worse", "better"]


@dataclass(frozen=True)
class Verdict:
    """What the gate decided and from which figures; a figure is None where there is no such number.

    `low` and `high` bound the difference to the champion, or the challenger's own value when there is none. `mcnemar`
    is the exact p-value of McNemar's test where each row is right or wrong. `rows_digest` says which rows were judged;
    `slices`, `limits` and `load_test` are there where the scenario asks for them, `shadow` where a server kept what the
    champion was asked.
    """

    passed: bool
    reason: str
    metric: str
    rows: int
    rule: Rule
    margin: float
    minimum: float | None
    challenger_value: float | None = None
    champion_value: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    mcnemar: float | None = None
    rows_digest: str | None = None
    slices: tuple[SliceVerdict, ...] = ()
    limits: tuple[Mapping[str, Any], ...] = ()
    load_test: Mapping[str, float] | None = None
    shadow: Mapping[str, Any] | None = None


def judge(
    *,
    metric: str,
    scorer: Scorer,
    truth: np.ndarray,
    challenger: np.ndarray,
    champion: np.ndarray | None,
    rule: Rule,
    margin: float,
    seed: int,
    minimum: float | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
) -> Verdict:
    """Judge predictions [rows] or, multilabel, bool [rows, labels]; a higher score is better.

    "not_worse" refuses on evidence of harm: the whole interval of the difference lies below -margin. "better" passes
    on evidence of a gain: the whole interval lies above margin. A first champion needs no comparison. `minimum` binds
    in any case. No rows, or a score that is no number, never passes. Text labels are numbered before they are scored.

    Raises: RequestError for predictions that do not fit the truth, or a setting out of its range.
    """
    _check_settings(rule=rule, margin=margin, confidence=confidence, resamples=resamples)
    outputs = [challenger] if champion is None else [challenger, champion]
    _check_shapes(truth, outputs)
    verdict = functools.partial(Verdict, metric=metric, rows=len(truth), rule=rule, margin=margin, minimum=minimum)
    if not len(truth):
        return verdict(passed=False, reason=f"There are no rows to score {metric} on, so nothing can be judged.")
    figures = _measure(scorer, truth, outputs, confidence=confidence, resamples=resamples, seed=seed)
    if figures is None:
        reason = f"{metric} is not a number on these {len(truth):,} rows or on a resample of them; score more rows."
        return verdict(passed=False, reason=reason)
    passed, why = _decide(figures, rule=rule, margin=margin, minimum=minimum)
    reason = f"{_sentence(figures, metric=metric, rows=len(truth), confidence=confidence)}: {why}."
    chance = None if champion is None else mcnemar(truth, challenger, champion)
    return verdict(passed=passed, reason=reason, mcnemar=chance, **dataclasses.asdict(figures))


def mcnemar(truth: np.ndarray, challenger: np.ndarray, champion: np.ndarray) -> float | None:
    """How likely such a split of the rows that one of two models has right is, if both are as good; two-sided, exact.

    None where rows are not right or wrong, such as numbers. Source: McNemar, Psychometrika 1947.
    """
    if truth.ndim > 1 or truth.dtype.kind == "f":
        return None
    own, other = challenger == truth, champion == truth
    gained, lost = int((own & ~other).sum()), int((~own & other).sum())
    if not gained + lost:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost).pvalue)


@dataclass(frozen=True)
class _Figures:
    """What was measured, under the names that `Verdict` gives it."""

    challenger_value: float
    champion_value: float | None
    difference: float | None
    low: float
    high: float


def _measure(
    scorer: Scorer, truth: np.ndarray, outputs: list[np.ndarray], *, confidence: float, resamples: int, seed: int
) -> _Figures | None:
    """Scores of the challenger and the champion, if there is one; None when a score is not a number."""
    truth, *outputs = _numbered([truth, *outputs])
    values = [float(scorer(truth, output)) for output in outputs]
    samples = resampled(scorer, truth, outputs, resamples=resamples, seed=seed)
    if not (np.isfinite(values).all() and np.isfinite(samples).all()):
        return None
    paired = len(values) > 1
    effects = samples[:, 0] - samples[:, 1] if paired else samples[:, 0]
    low, high = interval(effects, confidence=confidence)
    return _Figures(
        challenger_value=values[0],
        champion_value=values[1] if paired else None,
        difference=values[0] - values[1] if paired else None,
        low=low,
        high=high,
    )


def _decide(figures: _Figures, *, rule: Rule, margin: float, minimum: float | None) -> tuple[bool, str]:
    """Whether the challenger passes, and why in a few words."""
    if minimum is not None and figures.challenger_value < minimum:
        return False, f"below the minimum of {minimum:g}"
    if figures.difference is None:
        floor = "no minimum is set" if minimum is None else f"at least the minimum of {minimum:g}"
        return True, f"it becomes the first champion, {floor}"
    return _compare(rule, margin, low=figures.low, high=figures.high)


def _compare(rule: Rule, margin: float, *, low: float, high: float) -> tuple[bool, str]:
    beyond = f" by more than the margin of {margin:g}" if margin else ""
    if rule == "better":
        return (True, f"better{beyond}") if low > margin else (False, f"no significant gain{beyond}")
    if high < -margin:
        return False, f"worse{beyond}"
    if low > 0:
        return True, "better"
    return True, "no significant difference" if high >= 0 else "worse, but within the margin"


def _sentence(figures: _Figures, *, metric: str, rows: int, confidence: float) -> str:
    """The figures, as the first half of a sentence."""
    if figures.difference is None:
        interval = f"{figures.low:.4f} to {figures.high:.4f} at {confidence:.0%}"
        return f"{metric} is {figures.challenger_value:.4f} ({interval}) on {rows:,} rows and there is no champion"
    interval = f"{figures.low:+.4f} to {figures.high:+.4f} at {confidence:.0%}"
    return (
        f"{metric} is {figures.challenger_value:.4f} against the champion's {figures.champion_value:.4f} "
        f"on the same {rows:,} rows, a difference of {figures.difference:+.4f} ({interval})"
    )


def _numbered(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Text labels as numbers, the same for all arrays; other arrays as they are."""
    if all(array.dtype.kind in "biuf" for array in arrays):
        return arrays
    labels = [array.tolist() for array in arrays]
    numbers = {label: number for number, label in enumerate(dict.fromkeys(label for row in labels for label in row))}
    return [np.array([numbers[label] for label in row]) for row in labels]


def _check_shapes(truth: np.ndarray, outputs: list[np.ndarray]) -> None:
    """Raises: RequestError unless each output has the truth's shape and its kind of labels."""
    for output in outputs:
        if output.shape != truth.shape:
            raise RequestError(
                f"Predictions of shape {list(output.shape)} do not fit the truth of shape {list(truth.shape)}; "
                "score both on the same frozen rows."
            )
        if len(truth) and (output.dtype.kind in "biuf") != (truth.dtype.kind in "biuf"):
            raise RequestError(
                f"Predictions are {output.dtype} and the truth is {truth.dtype}; give both as names or both as numbers."
            )


def _check_settings(*, rule: str, margin: float, confidence: float, resamples: int) -> None:
    if rule not in get_args(Rule):
        raise RequestError(f"The rule {rule!r} is not known; rules are {' and '.join(get_args(Rule))}.")
    if not 0 <= margin < math.inf:
        raise RequestError(f"The margin {margin} is not allowed; it is 0 or more.")
    if not 0 < confidence < 1:
        raise RequestError(f"The confidence {confidence} is not allowed; it lies between 0 and 1, usually 0.95.")
    if resamples < 1:
        raise RequestError(f"{resamples} resamples are not enough; 1000 are usual.")
