"""Where inputs are attacked: the embeddings of a text's tokens, the pixels of a picture."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.model import ApplicationModel, Batch

Outputs = dict[str, dict[str, Tensor]]


class TokenPlace:
    """Changes [rows, tokens, dim] added to the embeddings that tokens are looked up as; padding is left alone.

    A change is as large as its row is long in L2, over all tokens. It is added behind the embedding matrix, so
    everything between the matrix and the loss, trained or not, is attacked. `encoder` is one of BERT's kind.
    """

    def __init__(self, *, name: str, encoder: nn.Module) -> None:
        self.name = name
        self._dim = int(encoder.token_embedding().shape[1])  # type: ignore[operator]
        self._embedding = cast("Callable[[], nn.Module]", encoder.embedding_layer)()

    def zeros(self, batch: Batch) -> Tensor:
        """No change."""
        ids = batch.arrays[self.name]["input_ids"]
        return torch.zeros(*ids.shape, self._dim, device=ids.device)

    def somewhere(self, batch: Batch, epsilon: float, *, random: np.random.Generator) -> Tensor:
        """Uniform in each number, as long as epsilon at most (Zhu et al., algorithm 1)."""
        mask = self._real(batch)
        drawn = random.uniform(-1.0, 1.0, (*mask.shape[:2], self._dim)).astype(np.float32)
        numbers = (mask.sum((1, 2), keepdim=True) * self._dim).clamp(min=1.0)
        return torch.from_numpy(drawn).to(mask.device) * mask * epsilon / numbers.sqrt()

    def moved(self, batch: Batch, shift: Tensor, gradient: Tensor, *, step: float, epsilon: float) -> Tensor:
        """A step along each row's gradient, as long as `step`; rows longer than epsilon are shortened to it."""
        up = torch.nan_to_num(gradient.detach().float(), posinf=0.0, neginf=0.0) * self._real(batch)
        further = shift.detach() + step * up / row_lengths(up).clamp(min=torch.finfo(torch.float32).tiny)
        return further * (epsilon / row_lengths(further).clamp(min=torch.finfo(torch.float32).tiny)).clamp(max=1.0)

    def answer(self, model: ApplicationModel, batch: Batch, shift: Tensor) -> Outputs:
        """The outputs with the change behind the embedding matrix."""
        with added(self._embedding, shift):
            return cast("Outputs", model(batch))

    def _real(self, batch: Batch) -> Tensor:
        """1 for tokens, 0 for padding [rows, tokens, 1]."""
        return batch.arrays[self.name]["attention_mask"].unsqueeze(-1).float()


class PixelPlace:
    """Changes [rows, 3, size, size] of pixels in units of 0..1, as large as that of the most changed one (L-infinity).

    Pixels stay between 0 and 1. `mean` and `deviation` are those by which the encoder's pixels are normalised.
    """

    def __init__(self, *, name: str, mean: Sequence[float], deviation: Sequence[float]) -> None:
        self.name = name
        self._mean = torch.tensor(mean, dtype=torch.float32).view(1, 3, 1, 1)
        self._deviation = torch.tensor(deviation, dtype=torch.float32).view(1, 3, 1, 1)

    def zeros(self, batch: Batch) -> Tensor:
        """No change."""
        return torch.zeros_like(batch.arrays[self.name]["pixels"])

    def somewhere(self, batch: Batch, epsilon: float, *, random: np.random.Generator) -> Tensor:
        """Uniform in each number."""
        pixels = batch.arrays[self.name]["pixels"]
        drawn = random.uniform(-epsilon, epsilon, tuple(pixels.shape)).astype(np.float32)
        return self._valid(batch, torch.from_numpy(drawn).to(pixels.device))

    def moved(self, batch: Batch, shift: Tensor, gradient: Tensor, *, step: float, epsilon: float) -> Tensor:
        """A step of each pixel up or down, within epsilon and between black and white."""
        further = shift.detach() + step * torch.nan_to_num(gradient.detach()).sign()
        return self._valid(batch, further.clamp(-epsilon, epsilon))

    def answer(self, model: ApplicationModel, batch: Batch, shift: Tensor) -> Outputs:
        """The outputs for the changed pictures."""
        arrays = batch.arrays[self.name]
        pixels = arrays["pixels"] + shift / self._deviation.to(shift.device)
        changed = {**batch.arrays, self.name: {**arrays, "pixels": pixels}}
        return cast("Outputs", model(replace(batch, arrays=changed)))

    def _valid(self, batch: Batch, shift: Tensor) -> Tensor:
        pixels = batch.arrays[self.name]["pixels"]
        given = pixels * self._deviation.to(pixels.device) + self._mean.to(pixels.device)
        # Normalising rounds: a pixel may be a hair outside before it is touched.
        return torch.minimum(torch.maximum(shift, (-given).clamp(max=0.0)), (1.0 - given).clamp(min=0.0))


@contextmanager
def added(embedding: nn.Module, shift: Tensor) -> Iterator[None]:
    """Within the block, what an embedding layer gives is changed by `shift` [rows, tokens, dim].

    Long texts read in windows come as more rows of fewer tokens, padded at their end: the change is cut alike.
    """

    def change(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:  # noqa: ARG001
        rows, tokens, _ = shift.shape
        padding = output.shape[0] * output.shape[1] // rows - tokens
        cut = functional.pad(shift, [0, 0, 0, padding]).reshape(output.shape)
        return output + cut.to(output.dtype)

    handle = embedding.register_forward_hook(change)
    try:
        yield
    finally:
        handle.remove()


def row_lengths(change: Tensor) -> Tensor:
    """L2 length of each row [rows, 1, 1] of a change [rows, tokens, dim]."""
    lengths: Tensor = change.flatten(1).norm(dim=1).view(-1, 1, 1)
    return lengths
