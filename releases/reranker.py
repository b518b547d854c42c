"""The cross-encoder of a release: what it finds read once more, each passage together with the question. No torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modalities.encoders.onnx import open_session
from modalities.preparation.passages import PassagePreparation

FOLDER, GRAPH = "reranker", "model.onnx"
# What a search's ranking by it is called, beside the others.
RERANK = "rerank"
BATCH = 16


class Reranker:
    """An opened cross-encoder."""

    def __init__(self, session: Any, preparation: PassagePreparation) -> None:
        self._session = session
        self._preparation = preparation
        self._reads = [given.name for given in session.get_inputs()]

    @classmethod
    def open(cls, folder: Path) -> "Reranker":
        """What the run exported."""
        return cls(open_session(folder / GRAPH), PassagePreparation.load(folder))

    def __call__(self, question: str, passages: Sequence[str]) -> np.ndarray:
        """How well each passage answers, float [passages]; higher is better."""
        scores = np.zeros(len(passages))
        order = np.argsort([len(passage) for passage in passages], kind="stable")
        for begin in range(0, len(passages), BATCH):
            rows = order[begin : begin + BATCH]
            arrays = self._preparation(question, [passages[row] for row in rows.tolist()])
            (found,) = self._session.run(["score"], {name: arrays[name] for name in self._reads})
            scores[rows] = found
        return scores
