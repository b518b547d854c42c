"""Classification: binary, multiclass and multilabel."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from heads.decoding import TaskKind


class ClassificationHead(nn.Module):
    """A fused embedding [batch, dim] to logits [batch, labels].

    Cross-entropy for binary (as two labels) and multiclass, binary cross-entropy for multilabel.
    """

    class_weights: Tensor

    def __init__(
        self,
        *,
        dim: int,
        labels: int,
        kind: TaskKind,
        class_weights: np.ndarray | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.label_smoothing = label_smoothing
        self.linear = nn.Linear(dim, labels)
        weights = np.ones(labels) if class_weights is None else class_weights
        self.register_buffer("class_weights", torch.tensor(weights, dtype=torch.float32), persistent=False)

    def forward(self, fused: Tensor) -> Tensor:
        """Logits [batch, labels]."""
        logits: Tensor = self.linear(fused)
        return logits

    def loss(self, logits: Tensor, truth: Tensor) -> Tensor:
        """Mean loss; `truth` is label numbers [batch], where those below 0 do not count, or a mask [batch, labels]."""
        if self.kind == "multilabel":
            return functional.binary_cross_entropy_with_logits(logits, truth.float(), pos_weight=self.class_weights)
        known = truth >= 0
        if not known.any():
            return logits.sum() * 0.0
        return functional.cross_entropy(
            logits[known], truth[known], weight=self.class_weights, label_smoothing=self.label_smoothing
        )


def balanced_weights(truth: np.ndarray, *, labels: int, kind: TaskKind) -> np.ndarray:
    """Weights [labels] that give each label the same say: rows / (labels x rows of the label).

    For multilabel: negatives to positives of each label, within 1/20..20.
    """
    if kind == "multilabel":
        positive = truth.sum(axis=0)
        return np.asarray(np.clip((len(truth) - positive) / np.maximum(positive, 1), 0.05, 20.0))
    rows = np.bincount(truth[truth >= 0], minlength=labels)
    return np.asarray(rows.sum() / (labels * np.maximum(rows, 1)))


def task_kind(values: list[object], *, multilabel: bool) -> tuple[TaskKind, tuple[str, ...]]:
    """The kind of task and its labels, sorted, from the target values of the training rows."""
    if multilabel:
        return "multilabel", tuple(
            sorted({str(label) for value in values if isinstance(value, list) for label in value})
        )
    labels = tuple(sorted({str(value) for value in values if value is not None}))
    kind: Literal["binary", "multiclass"] = "binary" if len(labels) == 2 else "multiclass"
    return kind, labels
