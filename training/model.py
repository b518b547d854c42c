"""The model of an application: live encoders shared by all tasks, and what makes each task's outputs of them."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self, cast

import numpy as np
import torch
from torch import Tensor, nn

from modalities.encoders.embeddings import Embeddings
from modalities.named import NamedModules
from training.device import on_device
from training.distillation import HINT
from training.inputs import ModalityInput
from training.loss_balance import LossBalance
from training.mixture import Mixture
from training.strategies.modes import set_mode
from training.task_models import Encoded, TaskModel


@dataclass(frozen=True)
class Batch:
    """One batch on the device: vectors [batch, dim] or arrays of the present rows, and who is present.

    `remembered` is what an encoder gave of the present rows before, `tasks` are those that these rows have a truth for,
    `mixture` says how rows were mixed.
    """

    rows: np.ndarray
    vectors: dict[str, Tensor]
    arrays: dict[str, dict[str, Tensor]]
    present: dict[str, Tensor]
    tasks: tuple[str, ...]
    remembered: dict[str, Embeddings] = field(default_factory=dict)
    mixture: Mixture | None = None


class ApplicationModel(nn.Module):
    """All tasks over shared encoders; each live encoder runs once a batch, over the rows that have its modality.

    `learned_weights` names the tasks whose share of the loss is learned. `hints` are maps from a modality's pooled
    embedding to a teacher's: what they give goes in training beside the outputs of a task that reads the modality.
    """

    def __init__(
        self,
        *,
        encoders: Mapping[str, nn.Module],
        tasks: Mapping[str, TaskModel],
        learned_weights: Sequence[str] = (),
        hints: Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.encoders = NamedModules(encoders)
        self.tasks = NamedModules(tasks)
        self.balance = LossBalance(learned_weights)
        self.hints = NamedModules(hints or {})

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002
        """Training mode, or evaluation mode; what is frozen of an encoder computes as it will when it serves."""
        super().train(mode)
        for name in self.encoders.names:
            set_mode(self.encoders[name], training=mode)
        return self

    def forward(self, batch: Batch) -> dict[str, dict[str, Tensor]]:
        """The named outputs of the batch's tasks."""
        tasks = {name: cast("TaskModel", self.tasks[name]) for name in batch.tasks}
        read = {name for task in tasks.values() for name in task.inputs}
        encoded = Encoded(embeddings={}, side={}, present=batch.present)
        for name in sorted(read):
            if name in batch.vectors:
                encoded.embeddings[name] = Embeddings(pooled=batch.vectors[name])
            else:
                self._encode(name, batch, encoded)
            if batch.mixture is not None and batch.mixture.pooled:
                pooled = batch.mixture.of(encoded.embeddings[name].pooled)
                encoded.embeddings[name] = Embeddings(pooled=pooled)
        return {name: {**task(encoded), **self._hints(task, encoded)} for name, task in tasks.items()}

    def _hints(self, task: TaskModel, encoded: Encoded) -> dict[str, Tensor]:
        names = [name for name in task.inputs if name in self.hints.names] if self.training else []
        return {HINT + name: self.hints[name](encoded.embeddings[name].pooled) for name in names}

    def _encode(self, name: str, batch: Batch, encoded: Encoded) -> None:
        encoder, present = self.encoders[name], batch.present[name].bool()
        given: Embeddings
        rows = int(present.sum())
        if not rows:
            width = int(encoder.dim)  # type: ignore[arg-type]
            encoded.embeddings[name] = Embeddings(pooled=torch.zeros(len(present), width, device=present.device))
            encoded.side[name] = {}
            return
        arrays = batch.arrays[name]
        reads = cast("tuple[str, ...]", encoder.reads)
        with statistics_kept(encoder) if self.training and rows == 1 else contextlib.nullcontext():
            given = batch.remembered.get(name) or encoder(**{key: arrays[key] for key in reads})
        # A head may read the mask beside what only it reads.
        side = {key: array for key, array in arrays.items() if key not in reads or key.endswith("mask")}
        if rows < len(present):
            given = Embeddings(
                pooled=scattered(given.pooled, present),
                tokens=None if given.tokens is None else scattered(given.tokens, present),
                maps=None if given.maps is None else tuple(scattered(map_, present) for map_ in given.maps),
            )
            side = {
                key: scattered(array, present, fill=0 if key.endswith("mask") else -1) for key, array in side.items()
            }
        encoded.embeddings[name] = in_full_precision(given)
        encoded.side[name] = side


@contextlib.contextmanager
def statistics_kept(encoder: nn.Module) -> Iterator[None]:
    """One row has no batch statistics: it passes with the running ones."""
    set_mode(encoder, training=False)
    try:
        yield
    finally:
        set_mode(encoder, training=True)


def scattered(part: Tensor, present: Tensor, *, fill: int = 0) -> Tensor:
    """Rows that are present put into their places [batch, ...]; the others are `fill`."""
    whole = torch.full((len(present), *part.shape[1:]), fill, dtype=part.dtype, device=part.device)
    whole[present] = part
    return whole


def in_full_precision(given: Embeddings) -> Embeddings:
    """Embeddings as float32, however they were computed."""
    return Embeddings(
        pooled=given.pooled.float(),
        tokens=None if given.tokens is None else given.tokens.float(),
        maps=None if given.maps is None else tuple(map_.float() for map_ in given.maps),
    )


def make_batch(
    inputs: Mapping[str, ModalityInput],
    rows: np.ndarray,
    *,
    device: torch.device,
    tasks: Sequence[str],
    random: np.random.Generator | None = None,
) -> Batch:
    """Gather the rows' vectors and prepare their raw values; `random` switches augmentation on."""
    present = {name: given.present[rows] for name, given in inputs.items()}
    vectors = {
        name: torch.from_numpy(given.drawn_vectors(rows, random=random)).to(device)
        for name, given in inputs.items()
        if given.vectors is not None
    }
    arrays = {
        name: {
            key: on_device(array, device)
            for key, array in given.source.arrays(rows[present[name]], random=random).items()
        }
        for name, given in inputs.items()
        if given.source is not None and present[name].any()
    }
    remembered = {
        name: given.remembered.embeddings(
            rows[present[name]], width=arrays[name]["attention_mask"].shape[1], device=device
        )
        for name, given in inputs.items()
        if given.remembered is not None and name in arrays
    }
    masks = {name: torch.from_numpy(mask.astype(np.float32)).to(device) for name, mask in present.items()}
    return Batch(rows=rows, vectors=vectors, arrays=arrays, present=masks, tasks=tuple(tasks), remembered=remembered)
