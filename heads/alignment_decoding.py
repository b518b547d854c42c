"""Two sides in one space, without torch: how well each finds the other, and whether two values belong together."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from heads.answers import Answer
from heads.decoder import Outputs, Scorer, Truth
from heads.pair_calibration import fit_belonging
from heads.probabilities import sigmoid
from heads.retrieval_metrics import best_ranks, hit_rate, mean_reciprocal_rank, median_rank

PLACES = (1, 5, 10)
QUERIES_AT_ONCE = 1024
BELONGS, DOES_NOT = "belongs", "does not belong"


def mean_hit_rate(truth: np.ndarray, predicted: np.ndarray, *, k: int) -> float:
    """Recall at k, the mean of both directions; `predicted` [rows, 2] are ranks, 0 where nothing was asked."""
    return float(np.mean([hit_rate(ranks, k=k) for ranks in asked(truth, predicted)]))


def mean_of_reciprocal_ranks(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean reciprocal rank, the mean of both directions."""
    return float(np.mean([mean_reciprocal_rank(ranks) for ranks in asked(truth, predicted)]))


def asked(truth: np.ndarray, predicted: np.ndarray) -> list[np.ndarray]:
    """The ranks of each direction, where there is an answer."""
    return [predicted[truth[:, side] > 0, side] for side in (0, 1)]


SCORERS: dict[str, Scorer] = {
    **{f"recall_at_{k}": partial(mean_hit_rate, k=k) for k in PLACES},
    "mean_reciprocal_rank": mean_of_reciprocal_ranks,
}


@dataclass(frozen=True)
class AlignmentDecoder:
    """Unit vectors `first` and `second` [rows, dim] to figures of both directions and to answers about single rows.

    `sides` are the names of the two modalities. Truth numbers each row's two values, -1 where one is missing: rows
    that share a value share its number. `slope` and `offset` make of a cosine the probability that two values belong
    together, where belonging and not belonging are as frequent as one another.
    """

    kind: ClassVar[str] = "alignment"
    scorers: ClassVar[Mapping[str, Scorer]] = SCORERS

    sides: tuple[str, str]
    slope: float = 10.0
    offset: float = 0.0

    def encode(self, values: Sequence[object]) -> dict[str, np.ndarray]:
        """Pairs of values, or of what stands for them, as numbers `first` and `second` [rows]."""
        pairs = [value if isinstance(value, tuple) else (None, None) for value in values]
        return {side: numbered([pair[place] for pair in pairs]) for place, side in enumerate(("first", "second"))}

    def calibrate(self, outputs: Outputs, truth: Truth) -> "AlignmentDecoder":
        """With the slope and offset that these rows ask for."""
        slope, offset = fit_belonging(outputs, truth)
        return replace(self, slope=slope, offset=offset)

    def answers(self, outputs: Outputs, inputs: Sequence[object], *, top: int = 5) -> list[Answer]:  # noqa: ARG002
        """Whether each row's two values belong together; `value` is their cosine."""
        cosines = (outputs["first"] * outputs["second"]).sum(axis=1)
        return [self._answer(float(cosine)) for cosine in cosines]

    def comparable(self, outputs: Outputs, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
        """Ranks [rows, 2]: where the row's first value finds a second that belongs to it, and the reverse.

        They search among all distinct values of the other side. The best rank is 1, which is the truth; 0 in both
        where a row misses a side.
        """
        known = np.flatnonzero((truth["first"] >= 0) & (truth["second"] >= 0))
        ranks = np.zeros((len(truth["first"]), 2), dtype=np.int64)
        for side, (here, there) in enumerate((("first", "second"), ("second", "first"))):
            places, own, back = np.unique(truth[here][known], return_index=True, return_inverse=True)
            others, theirs, forth = np.unique(truth[there][known], return_index=True, return_inverse=True)
            relevant = np.zeros((len(places), len(others)), dtype=bool)
            relevant[back, forth] = True
            queries, gallery = outputs[here][known[own]], outputs[there][known[theirs]]
            ranks[known, side] = all_ranks(queries, gallery, relevant)[back]
        return (ranks > 0).astype(np.int64), ranks

    def translated(self, predicted: np.ndarray, *, given_by: "AlignmentDecoder") -> np.ndarray:  # noqa: ARG002
        """Ranks are ranks."""
        return predicted

    def measure(self, outputs: Outputs, truth: Truth) -> dict[str, float]:
        """Recall at 1, 5 and 10 and the median rank each way, where each distinct value asks once.

        `recall_at_1` and the like are the mean of both ways over rows, as the gate reckons them.
        """
        wanted, ranks = self.comparable(outputs, truth)
        figures = {name: scorer(wanted, ranks) for name, scorer in SCORERS.items()}
        for side, name in enumerate(("first", "second")):
            known = np.flatnonzero(ranks[:, side] > 0)
            once = known[np.unique(truth[name][known], return_index=True)[1]]
            found, way = ranks[once, side], f"{self.sides[side]}_to_{self.sides[1 - side]}"
            figures |= {f"{way}_recall_at_{k}": hit_rate(found, k=k) for k in PLACES}
            figures |= {f"{way}_median_rank": median_rank(found), f"{way}_queries": float(len(found))}
        return figures

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads."""
        return {"kind": self.kind, **asdict(self), "sides": list(self.sides)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "AlignmentDecoder":
        """Read what `to_json` gave."""
        first, second = value["sides"]
        return cls(sides=(first, second), slope=value["slope"], offset=value["offset"])

    def _answer(self, cosine: float) -> Answer:
        belongs = float(sigmoid(np.array(self.slope * cosine + self.offset)))
        shares = {BELONGS: belongs, DOES_NOT: 1.0 - belongs}
        ordered = dict(sorted(shares.items(), key=lambda entry: -entry[1]))
        label = next(iter(ordered))
        return Answer(label=label, probability=ordered[label], probabilities=ordered, value=cosine)


def numbered(values: Sequence[object]) -> np.ndarray:
    """A number for each distinct value, int64 [rows], in the order in which they come; -1 for None."""
    seen: dict[object, int] = {}
    return np.array([-1 if value is None else seen.setdefault(value, len(seen)) for value in values], dtype=np.int64)


def all_ranks(queries: np.ndarray, gallery: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Best ranks of all queries, a block of them at a time."""
    blocks = [
        best_ranks(queries[start : start + QUERIES_AT_ONCE] @ gallery.T, relevant[start : start + QUERIES_AT_ONCE])
        for start in range(0, len(queries), QUERIES_AT_ONCE)
    ]
    return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.int64)
