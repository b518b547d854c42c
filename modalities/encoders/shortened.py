"""A text model with fewer layers: what a student begins with."""

import numpy as np
from torch import nn

from modalities.encoders.layers import blocks_of
from polyloom.errors import RequestError


def shorten(backbone: nn.Module, *, layers: int, model: str) -> None:
    """Keep so many blocks of a transformer, evenly spaced, the first and the last among them; in place.

    So began DistilBERT (Sanh et al., 2019): 0, 2, 4, 7, 9 and 11 of twelve. Raises RequestError where there are fewer.
    """
    blocks = blocks_of(backbone)
    if not 1 <= layers <= len(blocks):
        raise RequestError(
            f"{model!r} has {len(blocks)} layers, so {layers} of them cannot be kept. Give 1 to {len(blocks)}."
        )
    kept = evenly_spaced(len(blocks), layers)
    path = blocks[0][0].rpartition(".")[0]
    parent, _, name = path.rpartition(".")
    setattr(backbone.get_submodule(parent), name, nn.ModuleList(blocks[number][1] for number in kept))
    # What is saved from here on describes itself rightly.
    backbone.config.num_hidden_layers = layers  # type: ignore[union-attr]


def evenly_spaced(total: int, kept: int) -> list[int]:
    """So many of the numbers below `total`, from the first to the last; of one, the first."""
    return [int(number) for number in np.linspace(0, total - 1, kept).round()]
