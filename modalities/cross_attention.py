"""Fusion by attention: a learned query looks at every place of every modality that a row has.

Vaswani et al., "Attention Is All You Need" (2017), with the norm before each part; the learned query is the [CLS]
token of Devlin et al. (2019), type embeddings tell the modalities apart as in ViLT (Kim et al., 2021).
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from modalities.fusion import Fusion
from modalities.named import NamedModules
from polyloom.errors import RequestError

WIDTH = 128
HEADS = 4


class AttentionBlock(nn.Module):
    """Queries look at places, then pass a feed-forward layer; both add to what was there."""

    def __init__(self, *, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query_norm = nn.LayerNorm(width)
        self.place_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_and_value = nn.Linear(width, 2 * width)
        self.mix = nn.Linear(width, width)
        self.forward_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: Tensor, places: Tensor, real: Tensor) -> Tensor:
        """Queries [batch, queries, width] after a look at places [batch, places, width] where `real`, bool, is true."""
        keys, values = self.key_and_value(self.place_norm(places)).chunk(2, dim=-1)
        asked = self.query(self.query_norm(queries))
        seen = functional.scaled_dot_product_attention(
            self._split(asked), self._split(keys), self._split(values), attn_mask=real[:, None, None, :]
        )
        looked: Tensor = queries + self.dropout(self.mix(seen.transpose(1, 2).flatten(2)))
        thought: Tensor = looked + self.dropout(self.feed_forward(self.forward_norm(looked)))
        return thought

    def _split(self, vectors: Tensor) -> Tensor:
        """[batch, places, width] to [batch, heads, places, width / heads]."""
        batch, places, width = vectors.shape
        return vectors.reshape(batch, places, self.heads, width // self.heads).transpose(1, 2)


class CrossAttentionFusion(Fusion):
    """All places of all modalities, projected to one width, through a small transformer to its query [batch, dim].

    An embedding is [batch, dim], tokens [batch, tokens, dim] or a feature map [batch, dim, height, width]; `present`
    is 1 or 0, [batch], or for tokens [batch, tokens] with 0 where there is only padding. A modality that a row does
    not have is masked out; its learned embedding is one place in its stead. `hidden` is the width (128 where 0).
    """

    def __init__(
        self,
        *,
        dims: Mapping[str, int],
        modality_dropout: float,
        hidden: int,
        dropout: float,
        scales: Mapping[str, float] | None = None,
        heads: int = HEADS,
        blocks: int = 2,
    ) -> None:
        super().__init__(dims=dims, modality_dropout=modality_dropout, scales=scales)
        self.dim = hidden or WIDTH
        if self.dim % heads:
            raise RequestError(
                f"fusion.hidden: {self.dim} cannot be shared evenly by {heads} attention heads; "
                f"give a multiple of {heads}, such as {heads}, {2 * heads} or {WIDTH}."
            )
        self.projections = NamedModules({name: nn.Linear(dim, self.dim) for name, dim in dims.items()})
        self.types = nn.Parameter(torch.randn(len(dims), self.dim) * 0.02)
        self.query = nn.Parameter(torch.randn(1, 1, self.dim) * 0.02)
        self.blocks = nn.ModuleList(AttentionBlock(width=self.dim, heads=heads, dropout=dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(self.dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, embeddings: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
        """The fused embedding [batch, dim]."""
        places, real = self.places(embeddings, present)
        *before, last = self.blocks
        for block in before:
            places = block(places, places, real)
        # Only the query's answer is read, so the last block asks nothing else.
        fused: Tensor = self.dropout(self.norm(last(places[:, :1], places, real)).squeeze(1))
        return fused

    def places(self, embeddings: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The query and all modalities' places [batch, places, width], and which of them are real, bool."""
        rows = {name: present[name].reshape(len(present[name]), -1).amax(dim=1) for name in self.names}
        kept = self._dropped(rows) if self.training and self.modality_dropout else rows
        batch = len(kept[self.names[0]])
        parts = [self.query.expand(batch, 1, self.dim)]
        real = [torch.ones_like(kept[self.names[0]]).unsqueeze(1)]
        for number, name in enumerate(self.names):
            entrance, here = self.entrances[name], kept[name].unsqueeze(1)
            vectors = as_places(embeddings[name])
            mask = present[name].unsqueeze(1) if present[name].ndim == 1 else present[name]
            mask = (here * mask).expand(batch, vectors.shape[1])
            known = entrance.norm(vectors) * mask.unsqueeze(2)  # type: ignore[operator]
            missing = entrance.missing.expand(batch, 1, -1)  # type: ignore[operator]
            parts.append(self.projections[name](torch.cat([known, missing], dim=1)) + self.types[number])
            real += [mask, 1.0 - here]
        return torch.cat(parts, dim=1), torch.cat(real, dim=1) > 0


def as_places(embedding: Tensor) -> Tensor:
    """[batch, places, dim] of a pooled embedding, of tokens or of a feature map."""
    if embedding.ndim == 2:
        return embedding.unsqueeze(1)
    return embedding.flatten(2).transpose(1, 2) if embedding.ndim == 4 else embedding
