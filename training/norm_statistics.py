"""Batch norms of weights that were never trained as they are: their running statistics, taken anew."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def renew_statistics(model: nn.Module, batches: Sequence[np.ndarray], forward: Callable[[np.ndarray], object]) -> None:
    """Let the batch norms that are trained see some batches, which count alike; everything else is as in scoring.

    `forward` passes a batch through the model. Izmailov et al. (2018), section 3.2: the activations' statistics under
    an average of weights are no average of statistics. The model is left in evaluation mode.
    """
    model.train()
    norms = trained_norms(model)
    model.eval()
    if not norms or not batches:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
        # torch takes the plain mean over all batches where there is no momentum.
        norm.momentum = None
    try:
        with torch.no_grad():
            for rows in batches:
                forward(rows)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        model.eval()


def trained_norms(model: nn.Module) -> list[_BatchNorm]:
    """The batch norms of a model in training mode whose statistics move."""
    return [
        module
        for module in model.modules()
        if isinstance(module, _BatchNorm) and module.training and module.track_running_stats
    ]
