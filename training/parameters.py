"""Which parameters are trained, at which rate, and which of them decay."""

from collections.abc import Iterable, Iterator
from typing import Any

from torch import nn

from training.model import ApplicationModel

ParameterGroup = dict[str, Any]
"""A group of an optimiser: `params`, `lr`, `initial_lr` and `weight_decay`."""


def parameter_groups(
    model: ApplicationModel, learning_rate: float, encoder_learning_rate: float, weight_decay: float
) -> list[ParameterGroup]:
    """AdamW's groups: encoders and the rest, each with and without decay (norms, biases and embeddings have none)."""
    encoders = part_groups(model.encoders, encoder_learning_rate, weight_decay)
    return [*encoders, *task_groups(model, learning_rate, weight_decay)]


def task_groups(model: ApplicationModel, learning_rate: float, weight_decay: float) -> list[ParameterGroup]:
    """The groups of everything behind the encoders."""
    groups = part_groups(model.tasks, learning_rate, weight_decay)
    if any(True for _ in model.hints.parameters()):
        groups += part_groups(model.hints, learning_rate, weight_decay)
    balance = list(trained(model.balance))
    if balance:
        groups.append({"params": balance, "lr": learning_rate, "initial_lr": learning_rate, "weight_decay": 0.0})
    return groups


def part_groups(part: nn.Module, rate: float, weight_decay: float) -> list[ParameterGroup]:
    """The groups of one part of the model."""
    return [
        {"params": list(parameters), "lr": rate, "initial_lr": rate, "weight_decay": decay}
        for decay, parameters in ((weight_decay, decayed(part)), (0.0, undecayed(part)))
    ]


def decayed(part: nn.Module) -> Iterable[nn.Parameter]:
    """Matrices and filters."""
    return (parameter for parameter in trained(part) if parameter.ndim > 1)


def undecayed(part: nn.Module) -> Iterable[nn.Parameter]:
    """Biases, norms, learned embeddings of a missing modality."""
    return (parameter for parameter in trained(part) if parameter.ndim <= 1)


def trained(part: nn.Module) -> Iterator[nn.Parameter]:
    """Parameters that want a gradient."""
    return (parameter for parameter in part.parameters() if parameter.requires_grad)
