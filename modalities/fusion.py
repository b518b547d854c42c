"""Several modalities' embeddings to one, whatever is missing.

An encoder's embedding passes a LayerNorm; a finished vector, whose length means something, is only scaled.
A modality that a row does not have is replaced by a learned embedding.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from modalities.named import NamedModules


class Scaled(nn.Module):
    """A vector times one learned number."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([scale]))

    def forward(self, vector: Tensor) -> Tensor:
        """The scaled vector."""
        scaled: Tensor = vector * self.scale
        return scaled


class Entrance(nn.Module):
    """One modality's way in: its norm or scale, and the learned embedding for rows that do not have it."""

    def __init__(self, dim: int, *, scale: float | None = None) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim) if scale is None else Scaled(scale)
        self.missing = nn.Parameter(torch.zeros(dim))

    def forward(self, embedding: Tensor, present: Tensor) -> Tensor:
        """The embedding [batch, dim], normalised or replaced. `present` is 1 or 0, [batch]."""
        here = present.unsqueeze(1)
        filled: Tensor = here * self.norm(embedding) + (1.0 - here) * self.missing
        return filled


class Fusion(nn.Module):
    """What both fusions share: normalising, learned embeddings for what is missing, modality dropout.

    `scales` names the modalities that are scaled, by this number at first, instead of normalised.
    """

    def __init__(
        self, *, dims: Mapping[str, int], modality_dropout: float, scales: Mapping[str, float] | None = None
    ) -> None:
        super().__init__()
        self.names = tuple(dims)
        self.modality_dropout = modality_dropout
        first = scales or {}
        self.entrances = NamedModules({name: Entrance(dim, scale=first.get(name)) for name, dim in dims.items()})

    def inputs(self, embeddings: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> list[Tensor]:
        """Each modality's embedding [batch, dim], normalised or replaced. `present` is 1 or 0, [batch]."""
        kept = self._dropped(present) if self.training and self.modality_dropout else present
        return [self.entrances[name](embeddings[name], kept[name]) for name in self.names]

    def _dropped(self, present: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Hide modalities at random, but never a row's last one."""
        stacked = torch.stack([present[name] for name in self.names], dim=1)
        kept = stacked * (torch.rand_like(stacked) >= self.modality_dropout)
        kept = torch.where(kept.sum(dim=1, keepdim=True) > 0, kept, stacked)
        return {name: kept[:, place] for place, name in enumerate(self.names)}


class Unchanged(nn.Module):
    """One modality's embedding as its encoder gives it, zeros for rows that do not have it; nothing is learned."""

    def __init__(self, *, name: str, dim: int) -> None:
        super().__init__()
        self.names = (name,)
        self.dim = dim

    def forward(self, embeddings: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
        """The embedding [batch, dim]. `present` is 1 or 0, [batch]."""
        (name,) = self.names
        return embeddings[name] * present[name].unsqueeze(1)


class ConcatFusion(Fusion):
    """All embeddings side by side, [batch, sum of dims], or through one hidden layer."""

    def __init__(
        self,
        *,
        dims: Mapping[str, int],
        modality_dropout: float,
        hidden: int,
        dropout: float,
        scales: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(dims=dims, modality_dropout=modality_dropout, scales=scales)
        width = sum(dims.values())
        layers: list[nn.Module] = [nn.Dropout(dropout)]
        if hidden:
            layers = [nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers)
        self.dim = hidden or width

    def forward(self, embeddings: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
        """The fused embedding [batch, dim]."""
        fused: Tensor = self.layers(torch.cat(self.inputs(embeddings, present), dim=1))
        return fused


class GatedFusion(Fusion):
    """A weighted mean of projected embeddings [batch, hidden]; the weights are learned per row.

    Arevalo et al., "Gated Multimodal Units for Information Fusion" (2017), with a softmax over modalities.
    """

    def __init__(
        self,
        *,
        dims: Mapping[str, int],
        modality_dropout: float,
        hidden: int,
        dropout: float,
        scales: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(dims=dims, modality_dropout=modality_dropout, scales=scales)
        self.dim = hidden or max(dims.values())
        self.projections = NamedModules({name: nn.Linear(dim, self.dim) for name, dim in dims.items()})
        self.gate = nn.Linear(sum(dims.values()), len(dims))
        self.dropout = nn.Dropout(dropout)

    def forward(self, embeddings: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
        """The fused embedding [batch, dim]."""
        parts = self.inputs(embeddings, present)
        gates = torch.softmax(self.gate(torch.cat(parts, dim=1)), dim=1)
        projected = [torch.tanh(self.projections[name](part)) for name, part in zip(self.names, parts, strict=True)]
        fused: Tensor = self.dropout((torch.stack(projected, dim=1) * gates.unsqueeze(2)).sum(dim=1))
        return fused
