"""Relation between two marked stretches of a text."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional


class RelationHead(nn.Module):
    """Token embeddings [batch, tokens, dim] to `logits` [batch, labels].

    The first token, and for each stretch the token of its opening marker and the mean from marker to marker, side by
    side through one hidden layer: Wu & He, "Enriching Pre-trained Language Model with Entity Information for Relation
    Classification" (2019), with the entity start states of Baldini Soares et al., "Matching the Blanks" (2019).
    """

    reads: ClassVar[Literal["tokens"]] = "tokens"
    class_weights: Tensor

    def __init__(
        self,
        *,
        dim: int,
        labels: int,
        hidden: int,
        dropout: float = 0.1,
        class_weights: np.ndarray | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.layers = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(5 * dim, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, labels)
        )
        weights = np.ones(labels) if class_weights is None else class_weights
        self.register_buffer("class_weights", torch.tensor(weights, dtype=torch.float32), persistent=False)

    def forward(self, tokens: Tensor, side: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Logits; `side` has `markers` [batch, 4], the places of the tokens before and after each stretch."""
        parts = [tokens[:, 0]]
        for start, end in stretches(side["markers"]):
            parts += [token_at(tokens, start), mean_between(tokens, start, end)]
        return {"logits": self.layers(torch.cat(parts, dim=1))}

    def loss(self, outputs: Mapping[str, Tensor], truth: Mapping[str, Tensor]) -> Tensor:
        """Mean cross-entropy; rows whose `labels` number is below 0 do not count."""
        logits, labels = outputs["logits"], truth["labels"]
        known = labels >= 0
        if not known.any():
            return logits.sum() * 0.0
        return functional.cross_entropy(
            logits[known], labels[known], weight=self.class_weights, label_smoothing=self.label_smoothing
        )


def stretches(places: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Start and end markers [batch] of the two stretches; a row without a text, whose places are -1, has its zeros."""
    start, end, other_start, other_end = places.clamp(min=0).unbind(1)
    return [(start, end), (other_start, other_end)]


def token_at(tokens: Tensor, place: Tensor) -> Tensor:
    """The token [batch, dim] at a place [batch]."""
    index = place.view(-1, 1, 1).expand(-1, 1, tokens.shape[2])
    return tokens.gather(1, index).squeeze(1)


def mean_between(tokens: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """The mean [batch, dim] of the tokens from `start` to `end` [batch], both included."""
    positions = torch.arange(tokens.shape[1], device=tokens.device)
    inside = (positions >= start.unsqueeze(1)) & (positions <= end.unsqueeze(1))
    weights = inside.to(tokens.dtype).unsqueeze(2)
    return (tokens * weights).sum(1) / weights.sum(1).clamp(min=1.0)
