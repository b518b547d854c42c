"""What stands between embeddings and a task's outputs as an exported graph, run without torch.

The graph's inputs, by what the head reads: `fused` and `pair` each modality's pooled embedding under its name and its
presence as `<name>_present`; `tokens` the encoder's `tokens` and what the preparation gives beside; `maps` the maps.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from heads.decoder import Collected
from heads.decoders import load_decoder
from modalities.preparation.protocol import Arrays, Preparation
from polyloom.durable import read_json


class Encoder(Protocol):
    """An encoder as evaluation and serving call it."""

    dim: int
    batch_size: int

    def __call__(self, arrays: Arrays) -> np.ndarray:
        """The pooled embedding [batch, dim]."""

    def named(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """All embeddings by name."""


class OnnxHead:
    """A task's graph with its decoder. `inputs` are the modalities that it reads."""

    def __init__(self, folder: Path, *, session: Any) -> None:
        facts = read_json(folder / "head.json")
        self.reads: str = facts["reads"]
        self.inputs: tuple[str, ...] = tuple(facts["inputs"])
        self.decoder = load_decoder(facts["decoder"])
        self._outputs: list[str] = facts["outputs"]
        self._session = session
        self._accepted = {given.name for given in session.get_inputs()}

    @property
    def pooled(self) -> bool:
        """Whether pooled embeddings are all that it reads; these are cached, tokens and maps are not."""
        return self.reads in {"fused", "pair"}

    def __call__(
        self, embeddings: Mapping[str, np.ndarray], present: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Outputs of a batch from pooled embeddings; a row without a modality has zeros there and `present` False."""
        feed: dict[str, np.ndarray] = {}
        for name in self.inputs:
            feed[name] = embeddings[name]
            feed[f"{name}_present"] = present[name].astype(np.float32)
        return self.run(feed)

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs of a batch from the graph's inputs; those that the graph does not take are left out."""
        feed = {name: array for name, array in arrays.items() if name in self._accepted}
        found = self._session.run(self._outputs, feed)
        return dict(zip(self._outputs, map(np.asarray, found), strict=True))

    def over_values(
        self, values: Sequence[object | None], *, preparation: Preparation, encoder: Encoder
    ) -> dict[str, np.ndarray]:
        """Outputs of all rows for a head that reads tokens or maps; a missing value gives zeros."""
        known = [place for place, value in enumerate(values) if value is not None]
        lengths = getattr(preparation, "lengths", None)
        if lengths is not None and known:
            costs = lengths([values[place] for place in known])
            known = [known[place] for place in np.argsort(costs, kind="stable")]
        collected = Collected(len(values))
        for start in range(0, len(known), encoder.batch_size):
            places = known[start : start + encoder.batch_size]
            arrays = preparation([values[place] for place in places])
            collected.add(np.array(places), self.run({**arrays, **encoder.named(arrays)}))
        return collected.outputs()
