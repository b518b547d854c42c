"""Weights that mattered to what was learned before stay near where they were.

Kirkpatrick et al., "Overcoming catastrophic forgetting in neural networks" (2017): elastic weight consolidation, with a
diagonal Fisher information. Of several steps the informations are added up, and the weights are held near those of the
last one (Huszár, "Note on the quadratic penalties in elastic weight consolidation", 2018).
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from training.fitting import Fitting
from training.further_loss import TaskOutputs
from training.model import ApplicationModel, make_batch

FISHER_ROWS = 1000
Importance = dict[str, Tensor]
"""How much each number of each trained parameter mattered, by the parameter's name in the model."""


class ElasticWeights:
    """A `FurtherLoss`: weight / 2 x the sum of importance x (parameter - where it is now)^2.

    Made before the fit begins, as it notes where the parameters are.
    """

    def __init__(self, model: ApplicationModel, importance: Mapping[str, Tensor], *, weight: float) -> None:
        self._parameters = {name: one for name, one in model.named_parameters() if name in importance}
        self._anchors = {name: one.detach().clone() for name, one in self._parameters.items()}
        self._importance = {name: importance[name] for name in self._parameters}
        self._weight = weight

    def __call__(self, outputs: TaskOutputs, rows: np.ndarray) -> Tensor:  # noqa: ARG002
        """The penalty; it does not depend on the rows."""
        total = torch.zeros((), device=next(iter(self._parameters.values())).device)
        for name, parameter in self._parameters.items():
            importance, anchor = (part[name].to(parameter.device) for part in (self._importance, self._anchors))
            total = total + (importance * (parameter - anchor) ** 2).sum()
        return self._weight / 2 * total


def importance_of(fitting: Fitting, *, task: str, rows: np.ndarray, seed: int) -> Importance:
    """The diagonal Fisher information of a fitted classification task, estimated on at most 1,000 of the rows.

    The mean over rows of the squared gradient of a label's log-probability, the label drawn as the model would answer.
    """
    random = np.random.default_rng(seed)
    chosen = random.choice(rows, size=min(FISHER_ROWS, len(rows)), replace=False)
    model = fitting.model.eval()
    parameters = {name: one for name, one in model.named_parameters() if one.requires_grad}
    found = {name: torch.zeros_like(one) for name, one in parameters.items()}
    for row in chosen:
        batch = make_batch(fitting.inputs, np.array([row]), device=fitting.placement.device, tasks=(task,))
        log_probabilities = model(batch)[task]["logits"].float().log_softmax(dim=1)[0]
        share = log_probabilities.detach().exp().cpu().double().numpy()
        label = int(random.choice(len(share), p=share / share.sum()))
        gradients = torch.autograd.grad(log_probabilities[label], list(parameters.values()), allow_unused=True)
        for name, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                found[name] += gradient**2 / len(chosen)
    return {name: one.cpu() for name, one in found.items()}
