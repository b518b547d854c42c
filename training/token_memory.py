"""Embeddings of texts as a fit reads them again in every epoch."""

import numpy as np
import torch

from modalities.encoders.embeddings import Embeddings


class RememberedTokens:
    """Embeddings of some rows, without their padding: `tokens` [all tokens, dim] row after row, `pooled` [rows, dim].

    `lengths` [rows] are the tokens of each, `rows` their numbers.
    """

    def __init__(self, *, rows: np.ndarray, lengths: np.ndarray, tokens: np.ndarray, pooled: np.ndarray) -> None:
        self._tokens = tokens
        self._pooled = pooled
        self._lengths = lengths
        self._starts = np.cumsum(lengths) - lengths
        self._places = np.full(rows.max() + 1, -1)
        self._places[rows] = np.arange(len(rows))

    def embeddings(self, rows: np.ndarray, *, width: int, device: torch.device) -> Embeddings:
        """What the encoder gives of these rows, padded with zeros to `width` tokens."""
        places = self._places[rows]
        real = np.arange(width) < self._lengths[places, None]
        tokens = np.zeros((len(rows), width, self._tokens.shape[1]), dtype=np.float32)
        tokens[real] = self._tokens[(self._starts[places, None] + np.arange(width))[real]]
        return Embeddings(
            pooled=torch.from_numpy(self._pooled[places]).to(device), tokens=torch.from_numpy(tokens).to(device)
        )
