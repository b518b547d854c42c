"""Losses that know what a mistake costs. Logits are [rows, labels], truth is label numbers [rows], all known."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from heads.costs import LabelTree, Path

TINY = 1e-300


class ExpectedCost(nn.Module):
    """`weight` times the cost that is to be expected when answers are drawn by their probabilities.

    It is the risk that minimum-risk training lowers (Shen et al. 2016), divided by the mean cost of a mistake so that
    `weight` means the same for all costs. It stands beside cross-entropy, which keeps the probabilities honest.
    """

    costs: Tensor

    def __init__(self, costs: np.ndarray, *, weight: float = 1.0) -> None:
        super().__init__()
        mistakes = costs[~np.eye(len(costs), dtype=bool)]
        scale = float(mistakes.mean()) if len(mistakes) and mistakes.mean() > 0 else 1.0
        self.register_buffer("costs", torch.tensor(costs / scale, dtype=torch.float32), persistent=False)
        self.weight = weight

    def forward(self, logits: Tensor, truth: Tensor) -> Tensor:
        """Mean loss."""
        return self.weight * (logits.softmax(dim=1) * self.costs[truth]).sum(dim=1).mean()


class SoftLabels(nn.Module):
    """Cross-entropy to a distribution over labels that falls off with the distance from the true one.

    Bertinetto et al., "Making Better Mistakes" (2020), section 3.2: shares proportional to exp(-sharpness * distance).
    """

    shares: Tensor

    def __init__(self, distances: np.ndarray, *, sharpness: float = 10.0) -> None:
        super().__init__()
        shares = torch.softmax(torch.tensor(-sharpness * distances, dtype=torch.float32), dim=1)
        self.register_buffer("shares", shares, persistent=False)

    def forward(self, logits: Tensor, truth: Tensor) -> Tensor:
        """Mean loss."""
        return functional.cross_entropy(logits, self.shares[truth])


class HierarchicalCrossEntropy(nn.Module):
    """Cross-entropy of each step from the root down to the label, a step at depth d weighted by exp(-decay * d).

    Bertinetto et al., "Making Better Mistakes" (2020), section 3.1 (HXE), with the weights of the authors' code: the
    higher the decay, the more the general groups count. With decay 0 it is plain cross-entropy.
    """

    membership: Tensor
    child: Tensor
    parent: Tensor
    weights: Tensor

    def __init__(self, tree: LabelTree, *, decay: float = 0.1) -> None:
        super().__init__()
        nodes: list[Path] = list(tree.heights)
        numbers = {node: number for number, node in enumerate(nodes)}
        edges = tree.edges()
        on_way = np.stack([tree.members(child) for child, _ in edges], axis=1)
        steps = np.exp([-decay * len(parent) for _, parent in edges])
        buffers = {
            "membership": torch.tensor(np.stack([tree.members(node) for node in nodes], axis=1), dtype=torch.float64),
            "child": torch.tensor([numbers[child] for child, _ in edges]),
            "parent": torch.tensor([numbers[parent] for _, parent in edges]),
            "weights": torch.tensor(on_way * steps, dtype=torch.float32),
        }
        for name, tensor in buffers.items():
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, logits: Tensor, truth: Tensor) -> Tensor:
        """Mean loss."""
        # In double precision, so that a node of tiny probability still has a logarithm and a gradient.
        likely = logits.double().softmax(dim=1).clamp(min=TINY) @ self.membership
        surprises = likely[:, self.parent].log() - likely[:, self.child].log()
        return (surprises * self.weights[truth]).sum(dim=1).mean().to(logits.dtype)
