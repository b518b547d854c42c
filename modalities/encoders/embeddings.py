"""What every encoder gives: embeddings by name."""

from typing import NamedTuple

from torch import Tensor


class Embeddings(NamedTuple):
    """`pooled` [batch, dim], not normalised; `tokens` [batch, tokens, dim] where the modality has any."""

    pooled: Tensor
    tokens: Tensor | None
