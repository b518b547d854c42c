"""One row's score by a task's exported graphs, as parts of the row are left out: without torch."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from heads.decoder import Decoder
from heads.explained_score import ExplainedScore, explained_score
from heads.onnx import Encoder, OnnxHead
from heads.shapley import Shares, shapley_values
from modalities.preparation.protocol import Arrays, Preparation
from polyloom.errors import RequestError


class RowScores:
    """A row under a task that reads fused embeddings. `values` are the row's by modality, None where it has none.

    `decoder` is the task's, calibrated or not yet.

    Raises RequestError for a task that reads its modalities in another way.
    """

    def __init__(
        self,
        *,
        head: OnnxHead,
        decoder: Decoder,
        preparations: Mapping[str, Preparation],
        encoders: Mapping[str, Encoder],
        values: Mapping[str, object | None],
    ) -> None:
        if head.reads != "fused":
            kind = decoder.kind
            raise RequestError(f"A task of kind {kind!r} is not explained; classification and regression are.")
        self.head, self.decoder = head, decoder
        self.preparations = preparations
        self.encoders = encoders
        self.values = {name: values[name] for name in head.inputs}
        self.given = tuple(name for name, value in self.values.items() if value is not None)
        self.embedded = {name: self.embed(name, [value]) for name, value in self.values.items()}
        self.outputs = self._run(1, {}, {})

    @cached_property
    def score(self) -> ExplainedScore:
        """What is explained: the score of the row's own answer."""
        return explained_score(self.decoder, self.outputs)

    @cached_property
    def whole(self) -> float:
        """The row's own score."""
        return float(self.score.of(self.outputs)[0])

    def shares(self) -> Shares:
        """What each of the `given` modalities adds to the score of a row that has none."""

        def scores(subsets: np.ndarray) -> np.ndarray:
            present = {name: subsets[:, part] for part, name in enumerate(self.given)}
            return self.score.of(self._run(len(subsets), {}, present))

        return shapley_values(scores, parts=len(self.given))

    def changed(self, values: Mapping[str, Sequence[object | None]]) -> np.ndarray:
        """The scores [variants] with other values of some modalities, None to leave one out."""
        embedded = {name: self.embed(name, others) for name, others in values.items()}
        present = {name: np.array([value is not None for value in others]) for name, others in values.items()}
        rows = len(next(iter(values.values())))
        return self.score.of(self._run(rows, embedded, present))

    def changed_arrays(self, name: str, arrays: Arrays) -> np.ndarray:
        """The scores [variants] with other arrays of one modality's encoder."""
        rows = len(next(iter(arrays.values())))
        return self.score.of(self._run(rows, {name: self._encode(name, arrays, rows)}, {}))

    def embed(self, name: str, values: Sequence[object | None]) -> np.ndarray:
        """Embeddings [values, dim]; zeros where a value is missing."""
        result = np.zeros((len(values), self.encoders[name].dim), dtype=np.float32)
        known = [place for place, value in enumerate(values) if value is not None]
        for start in range(0, len(known), self.encoders[name].batch_size):
            part = known[start : start + self.encoders[name].batch_size]
            result[part] = self.encoders[name](self.preparations[name]([values[place] for place in part]))
        return result

    def _encode(self, name: str, arrays: Arrays, rows: int) -> np.ndarray:
        encoder: Any = self.encoders[name]
        parts = range(0, rows, encoder.batch_size)
        return np.concatenate(
            [encoder({key: array[at : at + encoder.batch_size] for key, array in arrays.items()}) for at in parts]
        )

    def _run(
        self, rows: int, embedded: Mapping[str, np.ndarray], present: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        here = {name: present.get(name, np.full(rows, name in self.given)) for name in self.head.inputs}
        given = {
            name: embedded.get(name, np.repeat(self.embedded[name], rows, axis=0))
            if name in self.given
            else np.zeros((rows, self.encoders[name].dim), dtype=np.float32)
            for name in self.head.inputs
        }
        return self.head({name: vectors * here[name][:, None] for name, vectors in given.items()}, here)
