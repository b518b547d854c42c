"""Mixup and CutMix in training: of pictures before their encoder, or of embeddings behind it."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from training.mixture import MixKind, Mixture, mixed_pictures, partners
from training.model import Batch


@dataclass(frozen=True)
class Mixing:
    """How batches are mixed: shares are drawn from a Beta(alpha, alpha), one a batch.

    `picture` is the modality whose pixels are mixed; None mixes the pooled embeddings of all modalities, which
    `cutmix` cannot.
    """

    kind: MixKind
    alpha: float
    picture: str | None

    def mixed(self, batch: Batch, *, random: np.random.Generator) -> Batch:
        """The batch mixed with itself; rows are mixed with rows that have the same modalities."""
        share = float(random.beta(self.alpha, self.alpha))
        present = np.stack([here.cpu().numpy() > 0 for here in batch.present.values()], axis=1)
        partner = partners(present, random=random)
        if self.picture is None:
            return replace(batch, mixture=Mixture(share, partner, pooled=True))
        if self.picture not in batch.arrays:
            return batch
        arrays, here = batch.arrays[self.picture], batch.present[self.picture].cpu().numpy() > 0
        places = np.cumsum(here) - 1
        among_present = torch.from_numpy(places[partner[here]]).to(arrays["pixels"].device)
        pixels, share = mixed_pictures(arrays["pixels"], among_present, kind=self.kind, share=share, random=random)
        changed = {**batch.arrays, self.picture: {**arrays, "pixels": pixels}}
        return replace(batch, arrays=changed, mixture=Mixture(share, partner, pooled=False))
