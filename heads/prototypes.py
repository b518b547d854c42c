"""Classes by nearness: one vector a label, and how near an embedding is to each."""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

# The scale that CLIP starts at (Radford et al. 2021): a cosine that is 0.07 higher is e times as likely.
STEEPNESS = 1 / 0.07


class Prototypes(nn.Module):
    """Embeddings [batch, dim] to logits [batch, labels]: scaled cosines with one prototype a label.

    Snell et al., "Prototypical Networks for Few-shot Learning" (2017), with cosines and a learned scale. They begin
    anywhere until `begin_at` is called; what is not `learned` stays where it began.
    """

    def __init__(self, *, dim: int, labels: int, scale: float = STEEPNESS, learned: bool = True) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(labels, dim), requires_grad=learned)
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)), requires_grad=learned)

    def begin_at(self, vectors: np.ndarray) -> None:
        """Put the prototypes at these vectors [labels, dim]."""
        with torch.no_grad():
            self.vectors.copy_(torch.from_numpy(vectors))

    def forward(self, fused: Tensor) -> Tensor:
        """Logits; an embedding or a prototype of zeros is as near to all."""
        cosines = functional.normalize(fused, dim=1) @ functional.normalize(self.vectors, dim=1).T
        return cosines * self.log_scale.exp()
