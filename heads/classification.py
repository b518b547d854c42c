"""Classification: binary, multiclass and multilabel."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from heads.decoding import Problem
from heads.scope import FUSED


class ClassificationHead(nn.Module):
    """A fused embedding [batch, dim] to logits [batch, labels].

    Cross-entropy for binary (as two labels) and multiclass, binary cross-entropy for multilabel. A loss of
    `heads.cost_losses` may stand `instead` of cross-entropy, one more `beside` it. With a `focal_gamma` above 0 rows
    that are already answered rightly count less (Lin et al., "Focal Loss for Dense Object Detection", 2017). With
    `gives_fused` the embedding is an output too, for `heads.scope`. `prototypes` (`heads.prototypes`) give the logits
    in the place of a linear layer.
    """

    reads: ClassVar[Literal["fused"]] = "fused"
    class_weights: Tensor

    def __init__(
        self,
        *,
        dim: int,
        labels: int,
        problem: Problem,
        class_weights: np.ndarray | None = None,
        label_smoothing: float = 0.0,
        focal_gamma: float = 0.0,
        instead: nn.Module | None = None,
        beside: nn.Module | None = None,
        gives_fused: bool = False,
        prototypes: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.gives_fused = gives_fused
        self.instead = instead
        self.beside = beside
        self.problem = problem
        self.label_smoothing = label_smoothing
        self.focal_gamma = focal_gamma
        self.linear = nn.Linear(dim, labels) if prototypes is None else prototypes
        weights = np.ones(labels) if class_weights is None else class_weights
        self.register_buffer("class_weights", torch.tensor(weights, dtype=torch.float32), persistent=False)

    def forward(self, fused: Tensor) -> dict[str, Tensor]:
        """`logits` [batch, labels], and where it is asked for `fused_embedding` [batch, dim]."""
        given = {FUSED: fused} if self.gives_fused else {}
        return {"logits": self.linear(fused), **given}

    def loss(self, outputs: Mapping[str, Tensor], truth: Mapping[str, Tensor]) -> Tensor:
        """Mean loss; `labels` is numbers [batch], where those below 0 do not count, or a mask [batch, labels]."""
        return self._loss(outputs["logits"], truth["labels"])

    def _loss(self, logits: Tensor, truth: Tensor) -> Tensor:
        if self.problem == "multilabel" and self.focal_gamma:
            return binary_focal_loss(logits, truth.float(), gamma=self.focal_gamma, positive_weights=self.class_weights)
        if self.problem == "multilabel":
            return functional.binary_cross_entropy_with_logits(logits, truth.float(), pos_weight=self.class_weights)
        known = truth >= 0
        if not known.any():
            return logits.sum() * 0.0
        loss = self._single(logits[known], truth[known])
        return loss if self.beside is None else loss + self.beside(logits[known], truth[known])

    def _single(self, logits: Tensor, truth: Tensor) -> Tensor:
        if self.instead is not None:
            given: Tensor = self.instead(logits, truth)
            return given
        if self.focal_gamma:
            return focal_loss(logits, truth, gamma=self.focal_gamma, weights=self.class_weights)
        return functional.cross_entropy(logits, truth, weight=self.class_weights, label_smoothing=self.label_smoothing)


def focal_loss(logits: Tensor, truth: Tensor, *, gamma: float, weights: Tensor) -> Tensor:
    """Mean of -(1 - p)^gamma log p of the true labels [batch], each row weighed by its label's of `weights` [labels].

    At gamma 0 it is cross-entropy.
    """
    log_probabilities = functional.log_softmax(logits, dim=1).gather(1, truth[:, None]).squeeze(1)
    each = -((1.0 - log_probabilities.exp()) ** gamma) * log_probabilities
    return (each * weights[truth]).sum() / weights[truth].sum()


def binary_focal_loss(logits: Tensor, truth: Tensor, *, gamma: float, positive_weights: Tensor) -> Tensor:
    """Mean of (1 - p)^gamma times binary cross-entropy over a mask [batch, labels]; p is the truth's probability.

    torchvision's `sigmoid_focal_loss` is the same but for the weights of each label's positives.
    """
    plain = functional.binary_cross_entropy_with_logits(logits, truth, pos_weight=positive_weights, reduction="none")
    right = torch.sigmoid(torch.where(truth > 0, logits, -logits))
    return (((1.0 - right) ** gamma) * plain).mean()


def balanced_weights(truth: np.ndarray, *, labels: int, problem: Problem) -> np.ndarray:
    """Weights [labels] that give each label the same say: rows / (labels x rows of the label).

    For multilabel: negatives to positives of each label, within 1/20..20.
    """
    if problem == "multilabel":
        positive = truth.sum(axis=0)
        return np.asarray(np.clip((len(truth) - positive) / np.maximum(positive, 1), 0.05, 20.0))
    rows = np.bincount(truth[truth >= 0], minlength=labels)
    return np.asarray(rows.sum() / (labels * np.maximum(rows, 1)))


def effective_weights(truth: np.ndarray, *, labels: int, beta: float) -> np.ndarray:
    """Weights [labels] by how many rows of a label are worth, (1 - beta^rows) / (1 - beta), with a mean of 1.

    Cui et al., "Class-Balanced Loss Based on Effective Number of Samples" (2019): at `beta` 0 every label weighs alike,
    towards 1 by its rows. A label without a row weighs as one with a single row.
    """
    rows = np.maximum(np.bincount(truth[truth >= 0], minlength=labels), 1)
    weights = (1.0 - beta) / (1.0 - beta**rows)
    return np.asarray(weights * labels / weights.sum())


def problem_of(values: list[object], *, multilabel: bool) -> tuple[Problem, tuple[str, ...]]:
    """The problem and its labels, sorted, from the target values of the training rows."""
    if multilabel:
        return "multilabel", tuple(
            sorted({str(label) for value in values if isinstance(value, list) for label in value})
        )
    labels = tuple(sorted({str(value) for value in values if value is not None}))
    problem: Problem = "binary" if len(labels) == 2 else "multiclass"
    return problem, labels
