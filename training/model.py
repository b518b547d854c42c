"""The model of an application: live encoders, and for each task a fusion and a head."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from heads.classification import ClassificationHead
from modalities.fusion import ConcatFusion, GatedFusion
from modalities.named import NamedModules
from training.inputs import ModalityInput


@dataclass(frozen=True)
class Batch:
    """One batch on the device: vectors [batch, dim] or encoder arrays of the present rows, and who is present."""

    rows: np.ndarray
    vectors: dict[str, Tensor]
    arrays: dict[str, dict[str, Tensor]]
    present: dict[str, Tensor]


class TaskModel(nn.Module):
    """Fusion and head of one task."""

    def __init__(self, *, fusion: ConcatFusion | GatedFusion, head: ClassificationHead) -> None:
        super().__init__()
        self.fusion = fusion
        self.head = head

    def forward(self, embeddings: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
        """Logits [batch, labels]."""
        logits: Tensor = self.head(self.fusion(embeddings, present))
        return logits


class ApplicationModel(nn.Module):
    """All tasks over shared encoders; each live encoder runs once a batch, over the rows that have its modality."""

    def __init__(self, *, encoders: Mapping[str, nn.Module], tasks: Mapping[str, TaskModel]) -> None:
        super().__init__()
        self.encoders = NamedModules(encoders)
        self.tasks = NamedModules(tasks)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Logits of every task."""
        embeddings = dict(batch.vectors)
        for name, encoder in self.encoders.items():
            embeddings[name] = self._encoded(name, encoder, batch)
        return {name: task(embeddings, batch.present) for name, task in self.tasks.items()}

    def _encoded(self, name: str, encoder: nn.Module, batch: Batch) -> Tensor:
        present = batch.present[name]
        pooled = torch.zeros(len(present), int(encoder.dim), device=present.device)  # type: ignore[arg-type]
        rows = int(present.sum())
        # One row has no batch statistics: it passes with the running ones.
        encoder.train(self.training and rows > 1)
        if rows:
            pooled[present.bool()] = encoder(**batch.arrays[name]).pooled.float()
        return pooled


def make_batch(
    inputs: Mapping[str, ModalityInput],
    rows: np.ndarray,
    *,
    device: torch.device,
    random: np.random.Generator | None = None,
) -> Batch:
    """Gather the rows' vectors and prepare their raw values; `random` switches augmentation on."""
    present = {name: given.present[rows] for name, given in inputs.items()}
    vectors = {
        name: torch.from_numpy(given.vectors[rows]).to(device)
        for name, given in inputs.items()
        if given.vectors is not None
    }
    arrays = {
        name: {
            key: torch.from_numpy(array).to(device)
            for key, array in given.source.arrays(rows[present[name]], random=random).items()
        }
        for name, given in inputs.items()
        if given.source is not None and present[name].any()
    }
    masks = {name: torch.from_numpy(mask.astype(np.float32)).to(device) for name, mask in present.items()}
    return Batch(rows=rows, vectors=vectors, arrays=arrays, present=masks)
