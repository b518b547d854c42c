"""Sequences of tags under constraints, over a padded batch: the best one, and how sure each stretch of it is.

The score of a sequence is the product of its words' probabilities, 0 where a tag may not follow the one before it: a
linear chain with fixed transitions (Lafferty et al. 2001). Viterbi's and the forward-backward algorithm as in Rabiner
(1989), with his scaling. Tag 0 is O; it stands before the first and after the last word.
"""

from dataclasses import dataclass

import numpy as np

IMPOSSIBLE = -1e9
SMALLEST = 1e-300


def best_paths(log_probabilities: np.ndarray, *, allowed: np.ndarray) -> np.ndarray:
    """The likeliest allowed tags, int64 [rows, words], of [rows, words, tags]; `allowed` is bool [tags, tags]."""
    rows, words, tags = log_probabilities.shape
    barrier = np.where(allowed, 0.0, IMPOSSIBLE)
    came_from = np.zeros((words, rows, tags), dtype=np.int16)
    score = np.broadcast_to(barrier[0], (rows, tags))
    for place in range(words):
        if place:
            reached = score[:, :, None] + barrier
            came_from[place] = reached.argmax(axis=1)
            score = reached.max(axis=1)
        score = score + log_probabilities[:, place]
    path = np.zeros((rows, words), dtype=np.int64)
    if words:
        path[:, -1] = (score + barrier[:, 0]).argmax(axis=1)
    for place in range(words - 1, 0, -1):
        path[:, place - 1] = came_from[place, np.arange(rows), path[:, place]]
    return path


@dataclass(frozen=True)
class PathProbabilities:
    """The distribution over allowed sequences, for the probabilities of stretches.

    All are [rows, words + 1, tags], with O as the word after the last, but `scale` [rows, words + 1]: `emission` the
    words' probabilities, `before` what comes from the left, `after` from the right, each scaled.
    """

    emission: np.ndarray
    before: np.ndarray
    after: np.ndarray
    scale: np.ndarray
    allowed: np.ndarray
    goes_on: np.ndarray

    @classmethod
    def of(cls, probabilities: np.ndarray, *, allowed: np.ndarray, goes_on: np.ndarray) -> "PathProbabilities":
        """Forward and backward over [rows, words, tags]; `goes_on` bool [tags] is which tags continue an entity."""
        rows, words, tags = probabilities.shape
        emission = np.zeros((rows, words + 1, tags))
        emission[:, :words] = np.maximum(probabilities, SMALLEST)
        emission[:, words, 0] = 1.0
        before, after, scale = np.ones_like(emission), np.ones_like(emission), np.ones((rows, words + 1))
        step = allowed.astype(np.float64)
        for place in range(words + 1):
            before[:, place] = step[0] if place == 0 else (before[:, place - 1] * emission[:, place - 1]) @ step
            if place:
                before[:, place] /= scale[:, place - 1, None]
            scale[:, place] = (before[:, place] * emission[:, place]).sum(axis=1)
        for place in range(words - 1, -1, -1):
            after[:, place] = (emission[:, place + 1] * after[:, place + 1]) @ step.T / scale[:, place + 1, None]
        return cls(emission, before, after, scale, allowed, goes_on)

    def of_stretch(self, row: int, start: int, tags: np.ndarray) -> float:
        """The probability that words `start` on have exactly these tags, and that what they mean ends there."""
        places = np.arange(start, start + len(tags))
        end = start + len(tags)
        follows = self.allowed[tags[-1]] & ~self.goes_on
        closing = (self.emission[row, end] * self.after[row, end])[follows].sum() / self.scale[row, end]
        inside = self.emission[row, places, tags] / self.scale[row, places]
        return float(min(self.before[row, start, tags[0]] * inside.prod() * closing, 1.0))

    def of_paths(self, paths: np.ndarray) -> np.ndarray:
        """The probability of whole sequences [rows, words]: [rows]."""
        words = paths.shape[1]
        own = np.take_along_axis(self.emission[:, :words], paths[..., None], axis=2)[..., 0]
        logarithm = np.log(own).sum(axis=1) - np.log(self.scale).sum(axis=1)
        return np.asarray(np.minimum(np.exp(logarithm), 1.0))
