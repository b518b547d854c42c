"""Weights between where a fit began and where it ended.

Wortsman et al., "Robust fine-tuning of zero-shot models" (2022): on the straight line between the two, a model often
keeps more of what it knew before than at the end, and loses nothing on the rows it was fitted to.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from training.combining import Combined, Judge, Judged, Weights, copied


class Interpolation:
    """Tries `shares` of the way from the begin to the end, each between 0 and 1; the end is always tried.

    `parts` are the beginnings of the names of what moves; the rest stays as it was fitted.
    """

    def __init__(self, *, shares: Sequence[float], parts: tuple[str, ...]) -> None:
        self.shares = tuple(shares)
        self._parts = parts
        self._begin: Weights = {}

    def begin(self, model: nn.Module) -> None:
        """Remember the begin. Raises ValueError where no weights are of the parts, so that nothing would move."""
        self._begin = {name: tensor for name, tensor in copied(model).items() if name.startswith(self._parts)}
        if not self._begin:
            raise ValueError(f"no weights begin with {' or '.join(self._parts)}")

    def after_epoch(self, model: nn.Module, epoch: int, *, leads: bool) -> None:
        """What lies between begin and end is not looked at."""

    def combined(self, best: Judged, metrics: list[tuple[float, float]], judge: Judge) -> Combined:  # noqa: ARG002
        """The share with the highest metric; of equal ones that with the lowest loss."""
        tried = {1.0: best}
        for share in self.shares:
            tried[share] = judge(between(self._begin, best.weights, share=share))
        chosen = max(tried, key=lambda share: (tried[share].metric, -tried[share].loss, share))
        metric = {f"{share:g}": judged.metric for share, judged in sorted(tried.items())}
        return Combined(judged=tried[chosen], told={"kind": "interpolation", "share": chosen, "metrics": metric})


def between(begin: Mapping[str, Tensor], end: Mapping[str, Tensor], *, share: float) -> Weights:
    """`share` of the way from begin to end; what the begin does not name, and whole numbers, are the end's."""
    return {
        name: torch.lerp(begin[name], tensor, share) if name in begin and tensor.is_floating_point() else tensor
        for name, tensor in end.items()
    }
