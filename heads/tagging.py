"""Scores of words to tagged sentences, under a scheme's constraints."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from heads.entities import Scheme, allowed_transitions, continuing, split_tag
from heads.entity_metrics import Spans, span_counts
from heads.probabilities import softmax
from heads.tag_paths import SMALLEST, PathProbabilities, best_paths

ROWS_AT_ONCE = 512


class Found(NamedTuple):
    """An entity: words `start` to `end`, exclusive; `kind` numbers its type; `probability` that it is exactly so."""

    kind: int
    start: int
    end: int
    probability: float


@dataclass(frozen=True, eq=False)
class Tagging:
    """A padded batch of sentences: each word's `probabilities` [rows, words, tags], and the tags' names, O first."""

    probabilities: np.ndarray
    tags: tuple[str, ...]
    scheme: Scheme

    @classmethod
    def of(cls, logits: np.ndarray, labelled: np.ndarray, *, tags: Sequence[str], scheme: Scheme) -> "Tagging":
        """From logits [rows, words, tags]; words that are not `labelled` [rows, words], such as padding, are O."""
        outside = np.full(len(tags), SMALLEST)
        outside[0] = 1.0
        scored = np.maximum(softmax(logits.astype(np.float64)), SMALLEST)
        return cls(probabilities=np.where(labelled[..., None], scored, outside), tags=tuple(tags), scheme=scheme)

    @cached_property
    def paths(self) -> np.ndarray:
        """The likeliest allowed tags, int64 [rows, words]."""
        allowed = allowed_transitions(self.tags, self.scheme)
        parts = [best_paths(np.log(part), allowed=allowed) for part in self._slices()]
        return np.concatenate([np.zeros((0, self.probabilities.shape[1]), np.int64), *parts])

    @property
    def kinds(self) -> np.ndarray:
        """Each tag's type as a number, -1 for O, int64 [tags]."""
        names = list(dict.fromkeys(split_tag(tag)[1] for tag in self.tags[1:]))
        return np.array([-1, *(names.index(split_tag(tag)[1]) for tag in self.tags[1:])])

    def sentences(self) -> Iterator[tuple[list[Found], float]]:
        """Each sentence's entities in order, and the probability of all of its tags together.

        Confidence of a stretch: Culotta and McCallum, "Confidence Estimation for Information Extraction" (2004).
        """
        goes_on, spans = continuing(self.tags), self._spans(self.paths)
        allowed = allowed_transitions(self.tags, self.scheme)
        for number, part in enumerate(self._slices()):
            first = number * ROWS_AT_ONCE
            distribution = PathProbabilities.of(part, allowed=allowed, goes_on=goes_on)
            whole = distribution.of_paths(self.paths[first : first + len(part)])
            for row in range(len(part)):
                kinds, ends, path = spans.kind[first + row], spans.end[first + row], self.paths[first + row]
                found = []
                for start in map(int, np.flatnonzero(kinds >= 0)):
                    probability = distribution.of_stretch(row, start, path[start : ends[start]])
                    found.append(Found(int(kinds[start]), start, int(ends[start]), probability))
                yield found, float(whole[row])

    def counts(self, truth: np.ndarray) -> np.ndarray:
        """Entities right, predicted and true, int64 [rows, types, 3]; of rows without any known tag all are 0."""
        truth, paths = self._aligned(truth)
        types = int(self.kinds.max(initial=-1)) + 1
        counts = span_counts(self._spans(truth), self._spans(paths), types=types)
        return np.where(known_rows(truth)[:, None, None], counts, 0)

    def certainty(self, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How sure each predicted entity was, and whether it was right, over rows with known tags."""
        aligned, _ = self._aligned(truth)
        spans, known = self._spans(aligned), known_rows(aligned)
        judged = [
            (entity.probability, (spans.kind[row, entity.start], spans.end[row, entity.start]) == entity[0:3:2])
            for row, (entities, _) in enumerate(self.sentences())
            for entity in entities
            if known[row]
        ]
        pairs = np.array(judged, dtype=np.float64).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1].astype(bool)

    def confusions(self, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The types of every entity, true and predicted on exactly the same words, over rows with known tags.

        An entity that has no counterpart stands opposite the number after the last type.
        """
        truth, paths = self._aligned(truth)
        known = known_rows(truth)
        one, other = self._spans(truth[known]), self._spans(paths[known])
        none = int(self.kinds.max(initial=-1)) + 1
        both = (one.kind >= 0) & (one.end == other.end)
        missed, invented = (one.kind >= 0) & ~both, (other.kind >= 0) & ~both
        true = [one.kind[both], one.kind[missed], np.full(invented.sum(), none)]
        predicted = [other.kind[both], np.full(missed.sum(), none), other.kind[invented]]
        return np.concatenate(true), np.concatenate(predicted)

    def word_accuracy(self, truth: np.ndarray) -> float:
        """Share of words with a known tag that got it."""
        truth, paths = self._aligned(truth)
        known = truth >= 0
        return float((paths == truth)[known].mean()) if known.any() else 0.0

    def _spans(self, tags: np.ndarray) -> Spans:
        return Spans.of(tags, kinds=self.kinds, goes_on=continuing(self.tags))

    def _aligned(self, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Truth and paths, both as wide as the wider one."""
        width = max(self.paths.shape[1], truth.shape[1])
        return as_wide(truth, width, filler=-1), as_wide(self.paths, width, filler=0)

    def _slices(self) -> Iterator[np.ndarray]:
        for first in range(0, len(self.probabilities), ROWS_AT_ONCE):
            yield self.probabilities[first : first + ROWS_AT_ONCE]


def known_rows(truth: np.ndarray) -> np.ndarray:
    """Which rows of tag numbers [rows, words] have any known one, bool [rows]."""
    return np.asarray(np.any(truth >= 0, axis=1))


def as_wide(numbers: np.ndarray, width: int, *, filler: int) -> np.ndarray:
    """An array [rows, words] cut or filled to [rows, width]."""
    wide = np.full((len(numbers), width), filler, dtype=numbers.dtype)
    kept = min(width, numbers.shape[1])
    wide[:, :kept] = numbers[:, :kept]
    return wide
