"""What a candidate looks like to the bandit: the same few numbers whatever the scenario."""

import functools
import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from releases.recommending import Recommendation

PARTS = ("popularity", "ease", "neighbours", "factors", "content")
NAMES = ("always", "score", "rank", *PARTS, "other_parts", "popular", "reasons", "known", "known_score")
NUMBERS, TRAITS = 2, 16
DIM = len(NAMES) + NUMBERS + TRAITS
FAR = 3.0
# What is logged is what was chosen by, and short.
DECIMALS = 4


def contexts(
    candidates: Sequence[Recommendation],
    *,
    popularity: Mapping[str, float],
    kinds: Mapping[str, str],
    known: bool,
) -> np.ndarray:
    """Rows [candidates, DIM] of candidates, best first.

    Scores, popularity and the first two columns of numbers are standardised among the candidates; columns of
    categories are hashed. `kinds` says which columns those are, `known` whether the user has a history.
    """
    scores = standardised(np.array([one.score for one in candidates]))
    popular = standardised(np.array([popularity.get(one.id, 0.0) for one in candidates]))
    rows = [
        [
            1.0,
            score,
            1 / (1 + place),
            *(one.parts.get(name, 0.0) for name in PARTS),
            sum(share for name, share in one.parts.items() if name not in PARTS),
            liked,
            min(len(one.because), 3) / 3,
            float(known),
            known * score,
            *number,
            *traits(one.row, kinds),
        ]
        for place, (one, score, liked, number) in enumerate(
            zip(candidates, scores, popular, numbers(candidates, kinds), strict=True)
        )
    ]
    return np.round(np.array(rows, dtype=np.float64).reshape(len(candidates), DIM), DECIMALS)


def numbers(candidates: Sequence[Recommendation], kinds: Mapping[str, str]) -> np.ndarray:
    """The first columns of numbers [candidates, NUMBERS], zero where there are none or a value is missing."""
    found = np.zeros((len(candidates), NUMBERS))
    names = [name for name in (candidates[0].row if candidates else ()) if kinds.get(name) == "number"]
    for column, name in enumerate(names[:NUMBERS]):
        given = [one.row[name] for one in candidates]
        found[:, column] = standardised(np.array([np.nan if value is None else value for value in given], np.float64))
    return found


def traits(row: Mapping[str, object], kinds: Mapping[str, str]) -> np.ndarray:
    """The values of the columns of categories as signs [TRAITS], added up, at most of length one."""
    values = [f"{name}={value}" for name, value in row.items() if kinds.get(name) == "category" and value is not None]
    if not values:
        return np.zeros(TRAITS)
    return np.asarray(np.sum([_signs(value) for value in values], axis=0) / (len(values) * np.sqrt(TRAITS)))


def standardised(values: np.ndarray) -> np.ndarray:
    """Values [candidates] less their mean in units of their deviation, within -3 to 3; zero where one is missing."""
    known = np.isfinite(values)
    if not known.any() or not (spread := float(values[known].std())) > 0:
        return np.zeros(len(values))
    return np.where(known, ((values - values[known].mean()) / spread).clip(-FAR, FAR), 0.0)


@functools.lru_cache(maxsize=4096)
def _signs(value: str) -> np.ndarray:
    """A text as signs [TRAITS], always the same ones."""
    bits = np.unpackbits(np.frombuffer(hashlib.sha256(value.encode()).digest(), np.uint8))[:TRAITS]
    return np.asarray(bits * 2.0 - 1.0)
