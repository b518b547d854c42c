"""Entity-level figures: an entity is right when its words and its type are, as conlleval and seqeval count.

Tjong Kim Sang and De Meulder, "Introduction to the CoNLL-2003 Shared Task" (2003).
"""

from dataclasses import dataclass

import numpy as np

RIGHT, PREDICTED, TRUE = range(3)


@dataclass(frozen=True)
class Spans:
    """Entities of a padded batch by the word they start at: `kind` [rows, words], -1 where none starts; `end`."""

    kind: np.ndarray
    end: np.ndarray

    @classmethod
    def of(cls, tags: np.ndarray, *, kinds: np.ndarray, goes_on: np.ndarray) -> "Spans":
        """Of tag numbers [rows, words], valid in their scheme, below 0 where unknown.

        By tag, `kinds` [tags] is the type's number, -1 for O; `goes_on` bool [tags] is what continues an entity.
        """
        rows, words = tags.shape
        known = tags >= 0
        inner = known & goes_on[np.where(known, tags, 0)]
        kind = np.where(known & ~inner, kinds[np.where(known, tags, 0)], -1)
        end = np.zeros((rows, words), dtype=np.int64)
        following = np.full(rows, words)
        for place in range(words - 1, -1, -1):
            end[:, place] = following
            following = np.where(inner[:, place], following, place)
        return cls(kind=kind, end=np.where(kind >= 0, end, -1))


def span_counts(truth: Spans, predicted: Spans, *, types: int) -> np.ndarray:
    """Entities right, predicted and true, int64 [rows, types, 3]."""
    right = (truth.kind == predicted.kind) & (truth.end == predicted.end)
    columns = (np.where(right, truth.kind, -1), predicted.kind, truth.kind)
    counts = [(column[..., None] == np.arange(types)).sum(axis=1) for column in columns]
    return np.stack(counts, axis=2)


def precision(truth: np.ndarray, predicted: np.ndarray) -> float:  # noqa: ARG001
    """Right among predicted; both arrays are counts [rows, 3] of right, predicted, true. 0 where none is predicted."""
    return ratio(predicted[:, RIGHT].sum(), predicted[:, PREDICTED].sum())


def recall(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Right among true; counts [rows, 3]."""
    return ratio(predicted[:, RIGHT].sum(), truth[:, TRUE].sum())


def f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Harmonic mean of precision and recall over all entities (micro); counts [rows, 3]."""
    return ratio(2 * predicted[:, RIGHT].sum(), predicted[:, PREDICTED].sum() + truth[:, TRUE].sum())


def ratio(part: float, whole: float) -> float:
    """0 where there is no whole."""
    return float(part) / float(whole) if whole else 0.0
