"""What every encoder gives: embeddings by name."""

from typing import NamedTuple

from torch import Tensor


class Embeddings(NamedTuple):
    """`pooled` [batch, dim], not normalised; where the modality has them also `tokens` and `maps`.

    `tokens` [batch, tokens, dim]; `maps` feature maps [batch, channels, height, width], from fine to coarse.
    """

    pooled: Tensor
    tokens: Tensor | None = None
    maps: tuple[Tensor, ...] | None = None

    def named(self) -> dict[str, Tensor]:
        """All that there is, by the names that an exported graph gives its outputs."""
        tokens = {} if self.tokens is None else {"tokens": self.tokens}
        return {"pooled": self.pooled, **tokens, **{f"map{n}": map_ for n, map_ in enumerate(self.maps or ())}}
