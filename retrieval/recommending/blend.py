"""Several models as one: a weighted sum of their scores, made comparable within each user."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.sparse as sp

from polyloom.errors import RequestError
from retrieval.recommending.model import Model, Reason
from retrieval.recommending.popularity import Popularity
from retrieval.recommending.quality import Relevant, ndcg, top_lists

GRID = (0.0, 0.15, 0.3, 0.5, 0.75, 1.0)
# A round over all weights that gains less is the last.
LEAST_GAIN, MOST_ROUNDS = 3e-4, 4


@dataclass(frozen=True)
class Blend:
    """Models over the same items, and what each counts. An empty history has popularity alone, if it is among them."""

    models: tuple[Model, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        counts = [model.count for model in self.models]
        if len(self.weights) != len(counts) or len(set(counts)) != 1:
            raise RequestError(
                f"A blend needs one or more models over the same items and a weight for each; got models over {counts} "
                f"items and {len(self.weights)} weights."
            )

    @property
    def count(self) -> int:
        """How many items are scored."""
        return self.models[0].count

    def parts(self, histories: sp.csr_matrix) -> np.ndarray:
        """What each model adds to each score, [models, users, items] float32."""
        found = np.zeros((len(self.models), *histories.shape), np.float32)
        new = np.diff(histories.indptr) == 0
        for place, (model, weight) in enumerate(zip(self.models, self.weights, strict=True)):
            counts = np.where(new, float(isinstance(model, Popularity)), weight)
            if counts.any():
                found[place] = standardised(model.scores(histories)) * counts[:, None].astype(np.float32)
        return found

    def scores(self, histories: sp.csr_matrix) -> np.ndarray:
        """[users, items], float32."""
        return np.asarray(self.parts(histories).sum(axis=0))

    def reasons(self, history: sp.csr_matrix, item: int, *, shares: Sequence[float]) -> list[Reason]:
        """What of one history [1, items] speaks for an item, most first, each model by its share in the score."""
        found: dict[int, float] = {}
        for model, share in zip(self.models, shares, strict=True):
            for reason in model.reasons(history, item) if share > 0 else []:
                found[reason.item] = found.get(reason.item, 0.0) + share * reason.share
        total = sum(found.values())
        return [Reason(item, worth / total) for item, worth in sorted(found.items(), key=lambda one: -one[1])]


def standardised(scores: np.ndarray) -> np.ndarray:
    """Scores [users, items] with mean 0 and deviation 1 over each user's items; 0 where all are alike."""
    scores = np.asarray(scores, np.float32)
    if not scores.size:
        return scores
    deviations = scores.std(axis=1, keepdims=True)
    # A sum of equal float32 numbers may have a deviation of rounding alone.
    level = deviations <= 1e-6 * np.abs(scores).max(axis=1, keepdims=True)
    found = (scores - scores.mean(axis=1, keepdims=True)) / np.where(level, 1.0, deviations)
    return np.asarray(np.where(level, 0.0, found), np.float32)


@dataclass(frozen=True, eq=False)
class Trial:
    """A validation cut: histories [users, items] that the models were fitted on, their scores, and what was held out.

    Never of test rows: weights that were chosen by what they are judged by show nothing.
    """

    histories: sp.csr_matrix
    scores: tuple[np.ndarray, ...]
    relevant: Relevant

    def value(self, weights: Sequence[float], *, k: int) -> float:
        """The mean nDCG at k of a weighting."""
        pairs = [(weight, scores) for weight, scores in zip(weights, self.scores, strict=True) if weight]
        total = sum((weight * scores for weight, scores in pairs[1:]), start=pairs[0][0] * pairs[0][1])
        return float(np.nanmean(ndcg(top_lists(total, k=k, left_out=self.histories), self.relevant)))


def make_trial(models: Sequence[Model], histories: sp.csr_matrix, relevant: Relevant) -> Trial:
    """Each model's standardised scores of the histories, with what was held out of them [users, items]."""
    known = np.asarray((relevant if isinstance(relevant, np.ndarray) else relevant.toarray()) > 0)
    return Trial(histories, tuple(standardised(model.scores(histories)) for model in models), known)


def learn_weights(trials: Sequence[Trial], *, k: int = 10, grid: Sequence[float] = GRID) -> tuple[float, ...]:
    """The weights of highest mean nDCG at k over the trials, by coordinate search.

    It begins from the best single model and from all alike, for neither finds every optimum, and keeps the better end.

    Raises: RequestError where there is no trial.
    """
    if not trials:
        raise RequestError("Weights are learned on one or more validation cuts; got none. Hold some events out first.")

    @cache
    def value(weights: tuple[float, ...]) -> float:
        return float(np.mean([trial.value(weights, k=k) for trial in trials]))

    singles = [tuple(map(float, row)) for row in np.eye(len(trials[0].scores))]
    starts = (max(singles, key=value), (1.0,) * len(singles))
    return max((_climbed(start, value, grid=grid) for start in starts), key=value)


def _climbed(
    weights: tuple[float, ...], value: Callable[[tuple[float, ...]], float], *, grid: Sequence[float]
) -> tuple[float, ...]:
    """Weights changed one by one while that gains."""
    for _ in range(MOST_ROUNDS):
        before = value(weights)
        for place in range(len(weights)):
            tried = [(*weights[:place], weight, *weights[place + 1 :]) for weight in grid]
            weights = max([weights, *(one for one in tried if any(one))], key=value)
        if value(weights) - before < LEAST_GAIN:
            break
    return weights
