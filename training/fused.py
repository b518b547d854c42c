"""What a task's head is given, before it has learned anything."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch

from training.batches import ordered_batches
from training.inputs import ModalityInput, row_costs
from training.model import ApplicationModel, make_batch
from training.task_models import TaskModel

BATCH_SIZE = 64


def fused_embeddings(
    model: ApplicationModel, inputs: Mapping[str, ModalityInput], *, task: str, rows: np.ndarray
) -> np.ndarray:
    """The fused embeddings of some rows, float32 [rows, dim]; the model is left in evaluation mode."""
    (fused,) = head_inputs(model, inputs, task=task, rows=rows)
    return fused


def head_inputs(
    model: ApplicationModel, inputs: Mapping[str, ModalityInput], *, task: str, rows: np.ndarray
) -> list[np.ndarray]:
    """Each embedding that a head is given of some rows, float32 [rows, dim]: of a pair's head the two sides.

    The model is left in evaluation mode.
    """
    device = next(model.parameters()).device
    taken: list[list[torch.Tensor]] = []

    def take(_: torch.nn.Module, given: tuple[Any, ...]) -> None:
        taken.append([one.float().cpu() for one in given])

    model.eval()
    places = np.arange(len(rows))
    costs = row_costs(inputs)
    batches = ordered_batches(places, batch_size=BATCH_SIZE, costs=None if costs is None else costs[rows])
    hook = cast("TaskModel", model.tasks[task]).head.register_forward_pre_hook(take)
    try:
        with torch.inference_mode():
            for part in batches:
                model(make_batch(inputs, rows[part], device=device, tasks=(task,)))
    finally:
        hook.remove()
    order = np.argsort(np.concatenate(batches)) if batches else places
    return [torch.cat(one).numpy()[order] for one in zip(*taken, strict=True)]
