"""What an encoder learns from few labelled rows before a head does: rows of one label lie together."""

from collections.abc import Mapping
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from heads.contrastive import supervised_contrastive_loss
from modalities.preparation.protocol import Arrays
from training.inputs import LiveSource

# Texts are encoded so many at a time, those of like length together, as one long text pads all beside it.
PIECE = 16


class LabelContrast:
    """Each row beside another of its label, against all other rows of the batch.

    Contrastive pairs before a head is fitted: Tunstall et al., "Efficient Few-Shot Learning Without Prompts" (2022),
    with the loss of Khosla et al. (2020). A row's partner is drawn anew each time, among the rows of its label that are
    held out as it is, or are not; a row that has none is its own, told apart by dropout and augmentation alone.
    `labels` is int64 [rows], `held_out` bool [rows].
    """

    def __init__(
        self,
        *,
        encoder: nn.Module,
        source: LiveSource,
        labels: np.ndarray,
        held_out: np.ndarray,
        temperature: float = 0.1,
    ) -> None:
        self.encoder = encoder
        self.labels = labels
        self.temperature = temperature
        self.module = nn.ModuleDict({"encoder": encoder})
        self._source = source
        self._partners = [
            np.flatnonzero((labels == labels[row]) & (held_out == held_out[row])) for row in range(len(labels))
        ]

    def batch(self, rows: np.ndarray, *, random: np.random.Generator, augment: bool) -> Arrays:
        """The encoder's arrays of the rows and then of their partners [2 * batch, ...], and their `labels`."""
        both = np.concatenate([rows, [self._partner(row, random) for row in rows]])
        arrays = self._source.arrays(both, random=random if augment else None)
        return {**arrays, "labels": self.labels[both]}

    def loss(self, arrays: Mapping[str, Tensor]) -> Tensor:
        """The mean loss of rows and partners."""
        return supervised_contrastive_loss(self._pooled(arrays), arrays["labels"], temperature=self.temperature)

    def lengths(self) -> None:
        """Batches are mixed: rows of like length would have fewer labels to tell apart."""
        return

    def _partner(self, row: int, random: np.random.Generator) -> int:
        others = self._partners[row]
        place = int(random.integers(max(1, len(others) - 1)))
        return int(others[place] if others[place] != row else others[-1])

    def _pooled(self, arrays: Mapping[str, Tensor]) -> Tensor:
        """Embeddings [rows, dim]; texts in pieces of like length, which need less padding."""
        reads = cast("tuple[str, ...]", self.encoder.reads)
        if "attention_mask" not in arrays:
            whole: Tensor = self.encoder(*(arrays[name] for name in reads)).pooled
            return whole
        lengths = arrays["attention_mask"].sum(dim=1)
        order = lengths.argsort(stable=True)
        pooled = []
        for piece in torch.split(order, PIECE):
            width = int(lengths[piece].max())
            pooled.append(self.encoder(*(arrays[name][piece, :width] for name in reads)).pooled)
        return torch.cat(pooled)[order.argsort()]
