"""Distillation: a student learns from what a teacher says of the training rows, beside the truth.

The loss of a task is `(1 - weight) x own + weight x T^2 x soft`. Soft is the divergence of the student's answers from
the teacher's, both at temperature T, whose square keeps the gradients' size (Hinton, Vinyals and Dean, "Distilling the
Knowledge in a Neural Network", 2015); where a row may have several labels it is binary cross-entropy. `features` adds
a hint: the student's pooled embedding, through a learned linear map, is to point where the teacher's does (Romero et
al., "FitNets", 2015).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

HINT = "hint_"


@dataclass(frozen=True)
class Taught:
    """What a teacher says of all rows [rows, ...], and of which of them it says anything, bool [rows]."""

    values: np.ndarray
    known: np.ndarray

    def of(self, rows: np.ndarray, *, device: torch.device) -> tuple[Tensor, np.ndarray]:
        """What it says of those of `rows` that it knows, and their places among these."""
        places = np.flatnonzero(self.known[rows])
        return torch.from_numpy(self.values[rows[places]]).to(device), places


@dataclass(frozen=True)
class Distillation:
    """A teacher's `logits` by task and `embeddings` by modality; `multilabel` names tasks of several labels a row.

    `weight`, 0..1, is the teacher's share of a task's loss, `features` what the hint counts beside it.
    """

    logits: Mapping[str, Taught]
    embeddings: Mapping[str, Taught] = field(default_factory=dict)
    multilabel: frozenset[str] = frozenset()
    temperature: float = 2.0
    weight: float = 0.5
    features: float = 0.0

    def blended(self, task: str, own: Tensor, outputs: Mapping[str, Tensor], rows: np.ndarray) -> Tensor:
        """A task's loss over a batch of rows; the truth's alone where the teacher says nothing of them."""
        if task not in self.logits:
            return own
        logits = outputs["logits"]
        said, places = self.logits[task].of(rows, device=logits.device)
        if not len(places):
            return own
        several = task in self.multilabel
        soft = soft_loss(logits[places], said, temperature=self.temperature, multilabel=several)
        return (1.0 - self.weight) * own + self.weight * self.temperature**2 * soft

    def hint(self, outputs: Mapping[str, Mapping[str, Tensor]], rows: np.ndarray) -> Tensor | float:
        """What mapped embeddings, outputs of any task under `hint_<modality>`, add to the loss."""
        total: Tensor | float = 0.0
        for name, taught in self.embeddings.items():
            mapped = next((given[HINT + name] for given in outputs.values() if HINT + name in given), None)
            if mapped is None:
                continue
            said, places = taught.of(rows, device=mapped.device)
            if len(places):
                apart = 1.0 - functional.cosine_similarity(mapped[places].float(), said)
                total = total + self.features * apart.mean()
        return total


def hint_map(own: int, taught: int) -> nn.Linear:
    """The map from a student's embedding to a teacher's; where they are as long, it begins by changing nothing."""
    made = nn.Linear(own, taught)
    if own == taught:
        nn.init.eye_(made.weight)
        nn.init.zeros_(made.bias)
    return made


def soft_loss(logits: Tensor, said: Tensor, *, temperature: float, multilabel: bool) -> Tensor:
    """How far answers [batch, labels] are from the teacher's, both softened: 0 where they are the same.

    For several labels a row it is the cross-entropy, which is least there.
    """
    if multilabel:
        return functional.binary_cross_entropy_with_logits(logits / temperature, torch.sigmoid(said / temperature))
    student, teacher = (functional.log_softmax(given / temperature, dim=1) for given in (logits, said))
    return functional.kl_div(student, teacher, reduction="batchmean", log_target=True)
