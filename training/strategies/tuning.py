"""What is trained of an encoder: which parameters, how fast, from which epoch on."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from training.strategies.settings import Strategy


@dataclass(frozen=True)
class Tuning:
    """An encoder, changed in place for its strategy, and the names of its parameters that are trained.

    `rates` gives each trained parameter's share of the encoder's learning rate, `starts` the first epoch, from 0, in
    which it is trained where that is not the first.
    """

    encoder: nn.Module
    strategy: Strategy
    rates: Mapping[str, float]
    starts: Mapping[str, int] = field(default_factory=dict)

    def begin_epoch(self, epoch: int) -> None:
        """Let the epoch's parameters want gradients, and no others: a function of the epoch alone."""
        for name, parameter in self.encoder.named_parameters():
            parameter.requires_grad_(name in self.rates and epoch >= self.starts.get(name, 0))

    def parameter_groups(self, *, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """The optimiser's groups, one for each rate, with and without decay (biases, norms and the like have none).

        All parameters that are ever trained are in them; one without a gradient is left alone by the optimiser.
        """
        groups: dict[tuple[float, bool], list[nn.Parameter]] = defaultdict(list)
        for name, parameter in self.encoder.named_parameters():
            if name in self.rates:
                groups[self.rates[name], parameter.ndim > 1].append(parameter)
        return [
            {
                "params": parameters,
                "lr": learning_rate * rate,
                "initial_lr": learning_rate * rate,
                "weight_decay": weight_decay if decays else 0.0,
            }
            for (rate, decays), parameters in groups.items()
        ]

    def trained_parameters(self) -> int:
        """How many numbers are ever trained."""
        return sum(parameter.numel() for name, parameter in self.encoder.named_parameters() if name in self.rates)


def tuned(
    encoder: nn.Module,
    strategy: Strategy,
    names: Iterable[str] | Mapping[str, float],
    *,
    starts: Mapping[str, int] | None = None,
) -> Tuning:
    """The tuning of these parameters, as it stands in the first epoch; plain names are trained at the full rate."""
    rates = dict(names) if isinstance(names, Mapping) else dict.fromkeys(names, 1.0)
    tuning = Tuning(encoder=encoder, strategy=strategy, rates=rates, starts=dict(starts or {}))
    tuning.begin_epoch(0)
    return tuning
