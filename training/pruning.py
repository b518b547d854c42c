"""Pruning in a fit: a share of an encoder's weights goes, epoch by epoch, and the others learn to do without them.

What has gone is zero in the weights themselves, so a fit that goes on from a checkpoint knows it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from modalities.encoders.layers import used_names
from training.units import Units, units_of

Losses = Callable[[], Iterable[Tensor]]
# Of the epochs, the share after which all has gone that is to go.
SETTLED = 0.6


class Pruning(ABC):
    """Takes `share`, 0..1, of an encoder away over the first `settled_share` of the epochs."""

    def __init__(self, encoder: nn.Module, *, share: float, epochs: int, settled_share: float = SETTLED) -> None:
        self.encoder = encoder
        self.share = share
        self.last = min(int(epochs * settled_share), epochs - 1)
        self._gone: dict[str, Tensor] = {}

    def share_at(self, epoch: int) -> float:
        """How much is gone in an epoch, from 0: `share x (1 - (1 - t)^3)`, fast at first (Zhu and Gupta, 2017).

        The first epoch keeps everything, where there are enough: before it, heads know nothing to judge weights by.
        """
        passed = 1.0 if epoch >= self.last else epoch / self.last
        return self.share * (1.0 - (1.0 - passed) ** 3)

    def settled(self, epoch: int) -> bool:
        """Whether all has gone that is to go; no epoch before that can be the best one."""
        return epoch >= self.last

    def prune(self, epoch: int, *, losses: Losses) -> None:
        """Take away what is to be gone in this epoch; `losses` are those of some training rows."""
        if epoch <= self.last:
            self.take(self.share_at(epoch), losses=losses)
        self.take_up()

    @abstractmethod
    def take(self, share: float, *, losses: Losses) -> None:
        """Set to zero whatever counts least, until this share is gone; what has gone stays so."""

    @abstractmethod
    def pruned(self) -> dict[str, nn.Parameter]:
        """The parameters in which zeros mean what has gone, by name."""

    @torch.no_grad()
    def take_up(self) -> None:
        """Know again what has gone, by its zeros."""
        self._gone = {name: parameter == 0 for name, parameter in self.pruned().items()}

    @torch.no_grad()
    def hold(self) -> None:
        """Put back to zero what a step has moved."""
        for name, parameter in self.pruned().items():
            parameter.masked_fill_(self._gone[name], 0.0)


class MagnitudePruning(Pruning):
    """The smallest weights of all matrices and filters but the embeddings go, wherever they are."""

    def take(self, share: float, *, losses: Losses) -> None:  # noqa: ARG002
        """By size alone (Han et al., "Learning both Weights and Connections", 2015)."""
        parameters = [parameter.detach() for parameter in self.pruned().values()]
        sizes = torch.cat([parameter.abs().flatten() for parameter in parameters])
        count = round(share * sizes.numel())
        if not count:
            return
        limit = torch.kthvalue(sizes, count).values
        for parameter in parameters:
            parameter.masked_fill_(parameter.abs() <= limit, 0.0)

    def pruned(self) -> dict[str, nn.Parameter]:
        """Weights of linear and convolutional layers."""
        known = dict(self.encoder.named_parameters())
        wanted = {
            f"{name}.weight"
            for name, module in self.encoder.named_modules()
            if isinstance(module, nn.Linear | nn.Conv2d)
        }
        used = {f"backbone.{name}" for name in used_names(self.encoder.get_submodule("backbone"))}
        return {name: parameter for name, parameter in known.items() if name in wanted & used}


def zero_share(encoder: nn.Module) -> float:
    """The share of zeros among the weights that pruning by magnitude may take."""
    weights = MagnitudePruning(encoder, share=0.0, epochs=1).pruned().values()
    return sum(int((weight == 0).sum()) for weight in weights) / sum(weight.numel() for weight in weights)


class StructuredPruning(Pruning):
    """Whole neurons and attention heads go; `training.units.slim` then makes the matrices smaller.

    A unit counts by how much the loss would change without it, to first order and as the mean over training rows
    (Michel et al., 2019, for heads; Molchanov et al., 2017). Each layer's figures are scaled to length 1, neurons and
    heads are ranked apart, and no layer loses its last unit.
    """

    def __init__(self, encoder: nn.Module, *, share: float, epochs: int, settled_share: float = SETTLED) -> None:
        super().__init__(encoder, share=share, epochs=epochs, settled_share=settled_share)
        self.units = units_of(encoder)

    def take(self, share: float, *, losses: Losses) -> None:
        """By importance over the rows of `losses`."""
        importance = self._importance(losses)
        for kind in dict.fromkeys(units.kind for units in self.units):
            layers = [number for number, units in enumerate(self.units) if units.kind == kind]
            chosen = least([importance[number] for number in layers], share=share)
            for number, units in zip(layers, chosen, strict=True):
                self.units[number].silence(self.encoder, units)

    def pruned(self) -> dict[str, nn.Parameter]:
        """What units write by."""
        known = dict(self.encoder.named_parameters())
        return {f"{units.writes}.weight": known[f"{units.writes}.weight"] for units in self.units}

    def _importance(self, losses: Losses) -> list[Tensor]:
        """One tensor [units] a layer; a unit that has gone has -1."""
        sums = [torch.zeros_like(units.contribution(self.encoder)) for units in self.units]
        for loss in losses():
            self.encoder.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            for number, units in enumerate(self.units):
                sums[number] += units.contribution(self.encoder)
        return [scaled(total, units, self.encoder) for total, units in zip(sums, self.units, strict=True)]


def scaled(total: Tensor, units: Units, encoder: nn.Module) -> Tensor:
    """A layer's figures at length 1, and -1 for what has gone, which is thus the first to go again."""
    length = total.square().sum().sqrt().clamp(min=1e-12)
    return (total / length).masked_fill(units.gone(encoder), -1.0)


def least(importance: list[Tensor], *, share: float) -> list[Tensor]:
    """Which units are the least important, bool [units] a layer, so many that this share of all is gone."""
    spared = [given.argmax() for given in importance]
    every = torch.cat([given.index_fill(0, best, torch.inf) for given, best in zip(importance, spared, strict=True)])
    count = min(round(share * len(every)), len(every) - len(importance))
    chosen = torch.zeros(len(every), dtype=torch.bool, device=every.device)
    chosen[every.argsort(stable=True)[:count]] = True
    return list(torch.split(chosen, [len(given) for given in importance]))
