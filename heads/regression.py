"""Regression: a fused embedding to one number."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

RegressionLoss = Literal["squared", "absolute", "huber"]


class RegressionHead(nn.Module):
    """A fused embedding [batch, dim] to a number in units of the training rows' deviation.

    `huber` is squared below one deviation and absolute beyond (Huber, "Robust Estimation of a Location Parameter",
    1964).
    """

    reads: ClassVar[Literal["fused"]] = "fused"

    def __init__(self, *, dim: int, loss: RegressionLoss = "squared") -> None:
        super().__init__()
        self.linear = nn.Linear(dim, 1)
        self.loss_kind = loss
        # A head that starts at the mean learns the rest; random weights would first have to be unlearned.
        nn.init.zeros_(self.linear.bias)

    def forward(self, fused: Tensor) -> dict[str, Tensor]:
        """`values` [batch], standardised."""
        return {"values": self.linear(fused).squeeze(1)}

    def loss(self, outputs: Mapping[str, Tensor], truth: Mapping[str, Tensor]) -> Tensor:
        """Mean loss over the rows whose truth `values` [batch] is a number."""
        predicted, target = outputs["values"], truth["values"].to(outputs["values"].dtype)
        known = torch.isfinite(target)
        if not known.any():
            return predicted.sum() * 0.0
        if self.loss_kind == "squared":
            return functional.mse_loss(predicted[known], target[known])
        if self.loss_kind == "absolute":
            return functional.l1_loss(predicted[known], target[known])
        return functional.huber_loss(predicted[known], target[known])
