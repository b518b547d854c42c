"""A greedy soup: the mean of those epochs' weights that the validation rows are better off with.

Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
inference time" (2022), algorithm 1, over the epochs of one fit instead of several fits.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from polyloom.durable import replace_file
from training.checkpoint import contiguous
from training.combining import Combined, Judge, Judged, Weights


class GreedySoup:
    """Keeps the end of each epoch in a file of `folder`, which all processes of a team see."""

    def __init__(self, *, folder: Path) -> None:
        self._folder = folder

    def begin(self, model: nn.Module) -> None:
        """The begin is no ingredient."""

    def after_epoch(self, model: nn.Module, epoch: int, *, leads: bool) -> None:
        """Write the epoch's weights."""
        if leads:
            self._folder.mkdir(parents=True, exist_ok=True)
            replace_file(self._path(epoch), save(contiguous(model.state_dict())))

    def combined(self, best: Judged, metrics: list[tuple[float, float]], judge: Judge) -> Combined:
        """From the best epoch down, each one stays in the mean with which the metric is no lower."""
        first, *others = sorted(range(len(metrics)), key=lambda epoch: (-metrics[epoch][0], metrics[epoch][1], epoch))
        chosen, soup = [first], best
        for epoch in others:
            tried = judge(mean_weights([self._read(one) for one in (*chosen, epoch)]))
            if tried.metric >= soup.metric:
                chosen, soup = [*chosen, epoch], tried
        return Combined(judged=soup, told={"kind": "soup", "epochs": sorted(epoch + 1 for epoch in chosen)})

    def _read(self, epoch: int) -> Weights:
        return load_file(self._path(epoch))

    def _path(self, epoch: int) -> Path:
        return self._folder / f"epoch-{epoch:05d}.safetensors"


def mean_weights(states: Sequence[Weights]) -> Weights:
    """The mean of each tensor; whole numbers, such as a count of batches, are the first state's."""
    return {name: mean([state[name] for state in states]) for name in states[0]}


def mean(tensors: Sequence[Tensor]) -> Tensor:
    """The mean of some tensors, in their own type."""
    if not tensors[0].is_floating_point():
        return tensors[0]
    return torch.stack([tensor.double() for tensor in tensors]).mean(0).to(tensors[0].dtype)
