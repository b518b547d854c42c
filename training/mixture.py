"""Rows of a batch mixed with others of it: their inputs, and their truths by as much.

Mixup: Zhang et al., "mixup: Beyond Empirical Risk Minimization" (2018). CutMix: Yun et al., "CutMix: Regularization
Strategy to Train Strong Classifiers with Localizable Features" (2019). timm's and torchvision's own draw from numpy's
or torch's global generator and give truths as shares of labels; here a step must be a function of its own seed, and
tasks keep their own kinds of truth, so the loss is mixed in the place of the truth: for cross-entropy that is the same.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

MixKind = Literal["mixup", "cutmix"]


@dataclass(frozen=True)
class Mixture:
    """How a batch was mixed: `share`, 0..1, is a row's own, the rest that of the row at its place of `partner` [rows].

    `pooled` says that embeddings are yet to be mixed, where the inputs are not.
    """

    share: float
    partner: np.ndarray
    pooled: bool

    def of(self, embeddings: Tensor) -> Tensor:
        """Embeddings [rows, dim] with their partners'."""
        partner = torch.from_numpy(self.partner).to(embeddings.device)
        return self.share * embeddings + (1.0 - self.share) * embeddings[partner]


def partners(present: np.ndarray, *, random: np.random.Generator) -> np.ndarray:
    """A partner for each row, int64 [rows], with the same modalities: `present` is bool [rows, modalities]."""
    partner = np.arange(len(present))
    _, pattern = np.unique(present, axis=0, return_inverse=True)
    for number in range(int(pattern.max(initial=-1)) + 1):
        places = np.flatnonzero(pattern.ravel() == number)
        partner[places] = random.permutation(places)
    return partner


def mixed_pictures(
    pixels: Tensor, partner: Tensor, *, kind: MixKind, share: float, random: np.random.Generator
) -> tuple[Tensor, float]:
    """Pixels [rows, 3, height, width] with their partners', and the share of a row's own that came of it.

    `cutmix` puts a rectangle of the partner's picture into each, about `1 - share` of its area, cut off at the edges.
    """
    if kind == "mixup":
        return share * pixels + (1.0 - share) * pixels[partner], share
    height, width = pixels.shape[2:]
    top, bottom, left, right = rectangle(height, width, area=1.0 - share, random=random)
    mixed = pixels.clone()
    mixed[:, :, top:bottom, left:right] = pixels[partner][:, :, top:bottom, left:right]
    return mixed, 1.0 - (bottom - top) * (right - left) / (height * width)


def rectangle(height: int, width: int, *, area: float, random: np.random.Generator) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of a rectangle of a picture's shape around a random point, cut off at its edges."""
    tall, wide = (round(length * float(np.sqrt(area))) for length in (height, width))
    middle, centre = int(random.integers(height)), int(random.integers(width))
    top, left = max(0, middle - tall // 2), max(0, centre - wide // 2)
    return top, min(height, middle - tall // 2 + tall), left, min(width, centre - wide // 2 + wide)
