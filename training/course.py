"""The course of a fit: where it stands, what each epoch gave, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave; `metric` is the watched one on the validation rows, higher is better."""

    epoch: int
    train_loss: float
    validation_loss: float
    metric: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class FitResult:
    """The course of a fit; the model holds the best epoch's weights, or those that `averaged` tells of."""

    history: tuple[Epoch, ...]
    best_epoch: int
    best_metric: float
    stopped_early: bool
    resumed_at_step: int
    averaged: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Position:
    """Where a fit stands; all of it goes into each checkpoint. `cut` is into how many pieces memory cuts a batch.

    `averaged` is how many steps a running average has seen.
    """

    epoch: int = 0
    group: int = 0
    step: int = 0
    loss_sum: float = 0.0
    loss_rows: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = -1
    best_metric: float = float("-inf")
    best_loss: float = float("inf")
    cut: int = 1
    averaged: int = 0
