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
    device = next(model.parameters()).device
    taken: list[torch.Tensor] = []

    def take(_: torch.nn.Module, given: tuple[Any, ...]) -> None:
        taken.append(given[0].float().cpu())

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
    order = np.concatenate(batches) if batches else places
    return np.asarray(torch.cat(taken).numpy()[np.argsort(order)])
