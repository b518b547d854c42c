"""A contrastive loss over labelled rows: those of one label are to lie together, all others apart."""

import torch
from torch import Tensor
from torch.nn import functional


def supervised_contrastive_loss(vectors: Tensor, labels: Tensor, *, temperature: float) -> Tensor:
    """Mean over the rows that share their label with another row; 0 where none does.

    `vectors` [rows, dim] of any length, compared by their cosines; `labels` [rows] numbers. Khosla et al., "Supervised
    Contrastive Learning" (2020), equation 2: each row's mean over its label's other rows of the cross-entropy of
    picking it among all other rows.
    """
    unit = functional.normalize(vectors.float(), dim=1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    alike = (labels[:, None] == labels) & ~itself
    chances = (unit @ unit.T / temperature).masked_fill(itself, float("-inf")).log_softmax(dim=1)
    partners = alike.sum(dim=1)
    known = partners > 0
    if not known.any():
        return unit.sum() * 0.0
    picked = chances.masked_fill(~alike, 0.0).sum(dim=1)[known] / partners[known]
    return -picked.mean()
