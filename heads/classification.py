"""Classification: binary, multiclass and multilabel."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from heads.decoding import Problem


class ClassificationHead(nn.Module):
    """A fused embedding [batch, dim] to logits [batch, labels].

    Cross-entropy for binary (as two labels) and multiclass, binary cross-entropy for multilabel. A loss of
    `heads.cost_losses` may stand `instead` of cross-entropy, one more `beside` it. `prototypes` (`heads.prototypes`)
    give the logits in the place of a linear layer.
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
        instead: nn.Module | None = None,
        beside: nn.Module | None = None,
        prototypes: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.instead = instead
        self.beside = beside
        self.problem = problem
        self.label_smoothing = label_smoothing
        self.linear = nn.Linear(dim, labels) if prototypes is None else prototypes
        weights = np.ones(labels) if class_weights is None else class_weights
        self.register_buffer("class_weights", torch.tensor(weights, dtype=torch.float32), persistent=False)

    def forward(self, fused: Tensor) -> dict[str, Tensor]:
        """`logits` [batch, labels]."""
        return {"logits": self.linear(fused)}

    def loss(self, outputs: Mapping[str, Tensor], truth: Mapping[str, Tensor]) -> Tensor:
        """Mean loss; `labels` is numbers [batch], where those below 0 do not count, or a mask [batch, labels]."""
        return self._loss(outputs["logits"], truth["labels"])

    def _loss(self, logits: Tensor, truth: Tensor) -> Tensor:
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
        return functional.cross_entropy(logits, truth, weight=self.class_weights, label_smoothing=self.label_smoothing)


def balanced_weights(truth: np.ndarray, *, labels: int, problem: Problem) -> np.ndarray:
    """Weights [labels] that give each label the same say: rows / (labels x rows of the label).

    For multilabel: negatives to positives of each label, within 1/20..20.
    """
    if problem == "multilabel":
        positive = truth.sum(axis=0)
        return np.asarray(np.clip((len(truth) - positive) / np.maximum(positive, 1), 0.05, 20.0))
    rows = np.bincount(truth[truth >= 0], minlength=labels)
    return np.asarray(rows.sum() / (labels * np.maximum(rows, 1)))


def problem_of(values: list[object], *, multilabel: bool) -> tuple[Problem, tuple[str, ...]]:
    """The problem and its labels, sorted, from the target values of the training rows."""
    if multilabel:
        return "multilabel", tuple(
            sorted({str(label) for value in values if isinstance(value, list) for label in value})
        )
    labels = tuple(sorted({str(value) for value in values if value is not None}))
    problem: Problem = "binary" if len(labels) == 2 else "multiclass"
    return problem, labels
