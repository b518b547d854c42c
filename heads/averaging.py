"""One answer from several heads: their probabilities are averaged, of a number their values.

Lakshminarayanan et al., "Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles" (2017): a uniform
mixture. It is calibrated after averaging, as an average of calibrated members is not calibrated (Rahaman and Thiery,
"Uncertainty Quantification and Deep Ensembles", 2021).
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

LOGITS = "logits"
Kind = Literal["one label", "several labels", "number"]


class Averaging(nn.Module):
    """Several heads' named outputs to one head's.

    Logits [batch, labels] become those of the mean probability: by softmax for `one label` a row, by sigmoid for
    `several labels`. Of one label a row they have the members' mean energy, on which no probability depends, but
    `heads.scope` may. What is no logits is averaged as it is.
    """

    reads: ClassVar[Literal["fused"]] = "fused"

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, members: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """The outputs of the mixture."""
        stacked = {name: torch.stack([outputs[name] for outputs in members]) for name in members[0]}
        return {name: self._logits(one) if name == LOGITS else one.mean(dim=0) for name, one in stacked.items()}

    def _logits(self, logits: Tensor) -> Tensor:
        """Of the members' [members, batch, labels]."""
        if self.kind == "several labels":
            yes, no = (mean_of_logs(functional.logsigmoid(signed)) for signed in (logits, -logits))
            return yes - no
        energy = logits.logsumexp(dim=-1, keepdim=True).mean(dim=0)
        return mean_of_logs(logits.log_softmax(dim=-1)) + energy


def mean_of_logs(logs: Tensor) -> Tensor:
    """The logarithm of a mean over the first axis, from logarithms."""
    return logs.logsumexp(dim=0) - torch.log(torch.tensor(float(logs.shape[0])))
