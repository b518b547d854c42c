"""A fitted model's outputs for inputs that are attacked, mistyped or damaged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from modalities.preparation.pictures import PicturePreparation
from modalities.preparation.protocol import Arrays
from training.attack import Attack, Place, crafted
from training.batches import ordered_batches
from training.device import Placement
from training.fitting import on_cpu
from training.inputs import ModalityInput, row_costs
from training.model import ApplicationModel, Batch, make_batch
from training.scoring import Scored, score_in_parts
from training.targets import Target
from training.team import ALONE


@dataclass(frozen=True)
class Asked:
    """One task of a fitted model, and the rows that it is asked about; `seed` draws where an attack starts."""

    model: ApplicationModel
    task: str
    target: Target
    rows: np.ndarray
    placement: Placement
    batch_size: int
    seed: int


def outputs_under(
    asked: Asked, inputs: Mapping[str, ModalityInput], *, attack: Attack | None = None, place: Place | None = None
) -> dict[str, np.ndarray]:
    """The task's outputs in the order of its rows; with an attack, of inputs moved so that the loss rises.

    The attack knows the model and the truth (white box). Rows without the attacked modality are answered as they are.
    """
    model = asked.model.to(asked.placement.device).eval().requires_grad_(requires_grad=False)
    costs = row_costs(inputs)

    def score(places: np.ndarray) -> Scored:
        rows = asked.rows[places]
        batch = make_batch(inputs, rows, device=asked.placement.device, tasks=(asked.task,))
        outputs = answered(asked, model, batch, attack, place) if attack and place else plain(asked, model, batch)
        return Scored(places, {asked.task: {name: on_cpu(tensor) for name, tensor in outputs.items()}}, 0.0)

    parts = ordered_batches(
        np.arange(len(asked.rows)),
        batch_size=asked.batch_size,
        costs=None if costs is None else costs[asked.rows],
    )
    return score_in_parts(parts, score, rows=len(asked.rows), team=ALONE)[0][asked.task]


def plain(asked: Asked, model: ApplicationModel, batch: Batch) -> dict[str, Tensor]:
    """The task's outputs for a batch as it is."""
    with torch.inference_mode(), asked.placement.autocast():
        outputs: dict[str, Tensor] = model(batch)[asked.task]
    return outputs


def answered(asked: Asked, model: ApplicationModel, batch: Batch, attack: Attack, place: Place) -> dict[str, Tensor]:
    """The task's outputs for a batch under attack."""
    if place.name not in batch.arrays:
        return plain(asked, model, batch)
    truth = asked.target.tensors(batch.rows, device=asked.placement.device)
    head = model.tasks[asked.task].head

    def loss_at(shift: Tensor) -> Tensor:
        with asked.placement.autocast():
            outputs = place.answer(model, batch, shift)[asked.task]
        loss: Tensor = head.loss({name: tensor.float() for name, tensor in outputs.items()}, truth)  # type: ignore[operator,union-attr]
        return loss

    random = np.random.default_rng([asked.seed, int(batch.rows[0])])
    shift = crafted(attack, place, batch, loss_at, random=random)
    with torch.inference_mode(), asked.placement.autocast():
        return place.answer(model, batch, shift)[asked.task]


class DamagedPictures:
    """A source of pictures that are damaged after they were cut to size; each row always in the same way.

    `damage` takes pictures, uint8 [batch, size, size, 3], and a generator.
    """

    def __init__(
        self,
        *,
        preparation: PicturePreparation,
        values: Sequence[object | None],
        damage: Callable[[np.ndarray, np.random.Generator], np.ndarray],
        seed: int,
    ) -> None:
        self._preparation = preparation
        self._values = values
        self._damage = damage
        self._seed = seed

    def arrays(self, rows: np.ndarray, *, random: np.random.Generator | None) -> Arrays:  # noqa: ARG002
        """Normalised pixels."""
        pictures = self._preparation.decode([self._values[row] for row in rows])
        damaged = [
            self._damage(picture[None], np.random.default_rng([self._seed, int(row)]))
            for row, picture in zip(rows, pictures, strict=True)
        ]
        return {"pixels": self._preparation.normalise(np.concatenate(damaged))}

    def lengths(self) -> None:
        """All pictures cost the same."""
        return
