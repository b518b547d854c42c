"""Fusion and head of one task as an exported graph, run without torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from heads.decoding import ClassificationDecoder
from polyloom.durable import read_json


class OnnxHead:
    """Embeddings and presence by modality to logits [batch, labels]; `decoder` makes answers of them."""

    def __init__(self, folder: Path, *, session: Any) -> None:
        facts = read_json(folder / "head.json")
        self.inputs: tuple[str, ...] = tuple(facts["inputs"])
        self.dims: dict[str, int] = facts["dims"]
        self.decoder = ClassificationDecoder.from_json(facts["decoder"])
        self._session = session
        self._accepted = {given.name for given in session.get_inputs()}

    def __call__(self, embeddings: Mapping[str, np.ndarray], present: Mapping[str, np.ndarray]) -> np.ndarray:
        """Logits of a batch; a row without a modality has zeros there and `present` False."""
        feed: dict[str, np.ndarray] = {}
        for name in self.inputs:
            feed[name] = embeddings[name]
            feed[f"{name}_present"] = present[name].astype(np.float32)
        accepted = {name: array for name, array in feed.items() if name in self._accepted}
        return np.asarray(self._session.run(["logits"], accepted)[0])
