"""Alignment: two modalities in one space, so that words find pictures and pictures find words."""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from heads.canonical import canonical_maps

# Beyond this the loss sees nothing but the nearest negative (Radford et al. 2021, section 2.5).
STEEPEST = 100.0


class AlignmentHead(nn.Module):
    """Pooled embeddings of two modalities to unit vectors [batch, dim], near one another where they belong together.

    Symmetric InfoNCE over the batch with a learned temperature: Radford et al., "Learning Transferable Visual Models
    From Natural Language Supervision" (2021). Values that any row of the batch holds together are never negatives of
    each other. What is not `learned` stays where `begin_at` puts it.
    """

    reads: ClassVar[Literal["pair"]] = "pair"

    def __init__(
        self,
        *,
        dims: tuple[int, int],
        dim: int = 256,
        hidden: int = 0,
        dropout: float = 0.0,
        temperature: float = 0.07,
        learned: bool = True,
    ) -> None:
        super().__init__()
        first, second = dims
        self.first = Projection(first, dim=dim, hidden=hidden, dropout=dropout)
        self.second = Projection(second, dim=dim, hidden=hidden, dropout=dropout)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))
        self.requires_grad_(learned)

    def begin_at(self, first: np.ndarray, second: np.ndarray, *, shrinkage: Sequence[float]) -> None:
        """Solve both projections over pairs of pooled embeddings [rows, given], in closed form."""
        sides = (self.first, self.second)
        with torch.no_grad():
            one, other = (
                side.norm(torch.from_numpy(given)).numpy() for side, given in zip(sides, (first, second), strict=True)
            )
            maps = canonical_maps(one, other, dim=self.first.linear.out_features, shrinkage=shrinkage)
            for side, solved in zip(sides, maps, strict=True):
                side.linear.weight.copy_(torch.from_numpy(solved.weight))
                side.linear.bias.copy_(torch.from_numpy(solved.offset))

    def forward(self, first: Tensor, second: Tensor) -> dict[str, Tensor]:
        """`first` and `second` [batch, dim], of length 1."""
        return {"first": self.first(first), "second": self.second(second)}

    def loss(self, outputs: Mapping[str, Tensor], truth: Mapping[str, Tensor]) -> Tensor:
        """Mean of both directions; `first` and `second` [batch] number the rows' values, below 0 for a missing one."""
        known = (truth["first"] >= 0) & (truth["second"] >= 0)
        if int(known.sum()) < 2:
            return (outputs["first"].sum() + outputs["second"].sum() + self.log_scale) * 0.0
        scale = self.log_scale.clamp(max=math.log(STEEPEST)).exp()
        logits = scale * outputs["first"][known] @ outputs["second"][known].T
        return symmetric_loss(logits, belonging(truth["first"][known], truth["second"][known]))


class Projection(nn.Module):
    """An embedding [batch, given] to a unit vector [batch, dim]: linear, with `hidden` also an MLP beside that."""

    def __init__(self, given: int, *, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(given)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(given, dim)
        self.beside = (
            nn.Sequential(nn.Linear(given, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, dim))
            if hidden
            else None
        )

    def forward(self, embedding: Tensor) -> Tensor:
        """The unit vector."""
        given = self.dropout(self.norm(embedding))
        projected = self.linear(given) if self.beside is None else self.linear(given) + self.beside(given)
        return functional.normalize(projected, dim=1)


def belonging(first: Tensor, second: Tensor) -> Tensor:
    """Which pairs belong together, bool [batch, batch]: row i's first with row j's second, if any row has both."""
    same_first = (first[:, None] == first[None, :]).float()
    same_second = (second[:, None] == second[None, :]).float()
    return (same_first @ same_second) > 0


def symmetric_loss(logits: Tensor, belongs: Tensor) -> Tensor:
    """Cross-entropy of [batch, batch] logits with the diagonal as target, by rows and by columns.

    What belongs together beside the diagonal is neither asked for nor pushed away.
    """
    others = belongs & ~torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    masked = logits.masked_fill(others, -torch.inf)
    target = torch.arange(len(logits), device=logits.device)
    return 0.5 * (functional.cross_entropy(masked, target) + functional.cross_entropy(masked.T, target))
