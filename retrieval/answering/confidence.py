"""How likely the best that was found answers the question: a logistic regression over what the rankings say."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from polyloom.errors import DataError, IntegrityError
from retrieval.answering.candidates import Candidate
from retrieval.answering.reading import Rarity, Read
from retrieval.words import terms

FEATURES = (
    "score",
    "cosine",
    "keyword",
    "covered",
    "score_margin",
    "cosine_margin",
    "keyword_margin",
    "agreement",
    "votes",
    "read",
    "terms",
)
VOTERS = 5
LEAST_ROWS = 20
STRENGTH = 1.0


def evidence(
    question: str, candidates: Sequence[Candidate], *, read: Read | None = None, rarity: Rarity | None = None
) -> np.ndarray:
    """What speaks for the first candidate, float64 [features] in the order of `FEATURES`; zeros without candidates.

    Margins are to the best candidate that leads to another answer; `agreement` is the share of the two rankings whose
    best leads to the same answer, `votes` that of the first five; `covered` the share of the question's terms, by
    rarity, in the first candidate.
    """
    if not candidates:
        return np.zeros(len(FEATURES))
    first = candidates[0]
    others = [one for one in candidates if one.leads_to != first.leads_to]
    best = [max(candidates, key=lambda one: one.cosine), max(candidates, key=lambda one: one.keyword)]
    asked = {term.text for term in terms(question)}
    values = (
        first.score,
        first.cosine,
        np.log1p(max(0.0, first.keyword)),
        _covered(asked, first.text, rarity),
        first.score - max((one.score for one in others), default=0.0),
        first.cosine - max((one.cosine for one in others), default=0.0),
        (first.keyword - max((one.keyword for one in others), default=0.0)) / (best[1].keyword or 1.0),
        np.mean([one.leads_to == first.leads_to for one in best]),
        np.mean([one.leads_to == first.leads_to for one in candidates[:VOTERS]]),
        read.score if read else 0.0,
        np.log1p(len(asked)),
    )
    return np.array(values, dtype=np.float64)


def _covered(asked: set[str], text: str, rarity: Rarity | None) -> float:
    """The share of the terms asked for that stand in a text."""
    weights = {term: rarity(term) if rarity else 1.0 for term in asked}
    held = asked & {term.text for term in terms(text)}
    return sum(weights[term] for term in held) / (sum(weights.values()) or 1.0)


@dataclass(frozen=True)
class Confidence:
    """Fitted by `fit_confidence`; `rows` is by how many questions."""

    features: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    rows: int

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Probabilities [rows] that the first candidates are right, of evidence [rows, features]."""
        scaled = (np.asarray(values, dtype=np.float64) - self.means) / self.scales
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(scaled @ np.array(self.weights) + self.bias, -500.0, 500.0))))

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Confidence":
        """As `to_json` gave it. Raises: IntegrityError when it was fitted on other features than these."""
        if tuple(value["features"]) != FEATURES:
            raise IntegrityError(
                f"The confidence was fitted on {list(value['features'])}, this version reckons {list(FEATURES)}. "
                "Fit it again."
            )
        lists = {name: tuple(value[name]) for name in ("features", "means", "scales", "weights")}
        return cls(**lists, bias=value["bias"], rows=value["rows"])


def fit_confidence(values: np.ndarray, right: np.ndarray, *, strength: float = STRENGTH) -> Confidence:
    """Logistic regression with an L2 penalty of `strength` over evidence [rows, features], right bool [rows].

    The rows must be others than those by which the threshold is chosen. When all are right, or all wrong, the penalty
    keeps the weights finite. Raises: DataError for fewer than 20 rows, or for values that are not finite.
    """
    from scipy.optimize import minimize

    if len(values) < LEAST_ROWS or values.shape != (len(right), len(FEATURES)) or not np.isfinite(values).all():
        raise DataError(
            f"Evidence {values.shape} for {len(right)} rows was given, {int((~np.isfinite(values)).sum())} values "
            f"of it not finite; needed are at least {LEAST_ROWS} rows of {len(FEATURES)} finite values."
        )
    means, scales = values.mean(axis=0), values.std(axis=0)
    scales = np.where(scales < 1e-9, 1.0, scales)
    scaled, signs = (values - means) / scales, np.where(right, 1.0, -1.0)
    weak = strength / len(values)

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        margins = signs * (scaled @ point[:-1] + point[-1])
        pull = -signs * np.exp(-np.logaddexp(0.0, margins)) / len(scaled)
        # The bias is held too, a little, for rows that are all alike.
        held = weak * np.append(np.ones(len(FEATURES)), 0.01)
        slope = np.append(scaled.T @ pull, pull.sum()) + held * point
        return float(np.logaddexp(0.0, -margins).mean() + 0.5 * held @ point**2), slope

    found = minimize(loss, np.zeros(len(FEATURES) + 1), jac=True, method="L-BFGS-B").x
    return Confidence(
        features=FEATURES,
        means=tuple(means.tolist()),
        scales=tuple(scales.tolist()),
        weights=tuple(found[:-1].tolist()),
        bias=float(found[-1]),
        rows=len(values),
    )
