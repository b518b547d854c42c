"""Small fits, as a module of their own so that a child process can run one and be killed in it."""

import contextlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from heads.classification import ClassificationHead
from heads.decoding import ClassificationDecoder
from modalities.encoders.embeddings import Embeddings
from modalities.fusion import ConcatFusion
from modalities.preparation.pictures import PicturePreparation
from polyloom.progress import Silent
from tests.support.tiny_models import png
from training.device import place
from training.fitting import Fitting
from training.inputs import ModalityInput, PictureSource
from training.model import ApplicationModel
from training.targets import Target
from training.task_models import FusedTask

ROWS = 48


class TinyPictureEncoder(nn.Module):
    """A convolution, batch norm and dropout: what a resumed fit could get wrong."""

    reads = ("pixels",)

    def __init__(self) -> None:
        super().__init__()
        self.dim = 8
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self.dropout = nn.Dropout(0.3)

    def forward(self, pixels: Tensor) -> Embeddings:
        return Embeddings(pooled=self.dropout(self.layers(pixels)))


def separable(*, rows: int = ROWS, dim: int = 6, labels: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around one corner a label, and the labels."""
    random = np.random.default_rng(seed)
    truth = np.arange(rows) % labels
    corners = np.eye(labels, dim) * 4
    return (corners[truth] + random.normal(scale=0.3, size=(rows, dim))).astype(np.float32), truth


def decoder(labels: int = 3, *, problem: str = "multiclass") -> ClassificationDecoder:
    return ClassificationDecoder(problem=problem, labels=tuple("abcdefgh"[:labels]))


def goal(truth: np.ndarray, given: ClassificationDecoder | None = None, **changed) -> Target:
    """A classification target."""
    return Target({"labels": truth}, given or decoder(), **changed)


def task(dims: dict[str, int], *, labels: int = 3, dropout: float = 0.0, modality_dropout: float = 0.0, **head):
    fusion = ConcatFusion(dims=dims, modality_dropout=modality_dropout, hidden=0, dropout=dropout)
    return FusedTask(
        fusion=fusion, head=ClassificationHead(dim=fusion.dim, labels=labels, **{"problem": "multiclass", **head})
    )


def fitting(folder: Path, *, model: ApplicationModel, inputs, targets, **changed) -> Fitting:
    """A fit of a few epochs in which everything can be changed."""
    settings = {
        "train_rows": np.arange(0, 36),
        "validation_rows": np.arange(36, ROWS),
        "watch": ("label", "accuracy"),
        "placement": place("fp32"),
        "epochs": 4,
        "patience": 0,
        "seed": 7,
        "batch_size": 8,
        "learning_rate": 0.03,
        "encoder_learning_rate": 0.01,
    }
    return Fitting(model=model, inputs=inputs, targets=targets, folder=folder, **{**settings, **changed})


def frozen(folder: Path, **changed) -> Fitting:
    """Finished vectors, dropout and modality dropout."""
    torch.manual_seed(7)
    vectors, truth = separable()
    present = np.arange(ROWS) % 5 > 0
    inputs = {
        "one": ModalityInput(present=np.ones(ROWS, bool), vectors=vectors),
        "two": ModalityInput(present=present, vectors=vectors[:, ::-1] * present[:, None]),
    }
    model = ApplicationModel(
        encoders={}, tasks={"label": task({"one": 6, "two": 6}, dropout=0.2, modality_dropout=0.3)}
    )
    return fitting(folder, model=model, inputs=inputs, targets={"label": goal(truth)}, **changed)


def full(folder: Path, **changed) -> Fitting:
    """A live encoder over augmented pictures, some missing, and accumulation."""
    torch.manual_seed(7)
    random = np.random.default_rng(1)
    truth = np.arange(ROWS) % 3
    pixels = random.integers(0, 90, (ROWS, 16, 16, 3)).astype(np.uint8)
    for row, label in enumerate(truth):
        pixels[row, ..., label] += 120
    values = [png(pixels[row]) if row % 7 else None for row in range(ROWS)]
    prepare = PicturePreparation(column="p", size=16, mean=(0.5,) * 3, deviation=(0.5,) * 3)
    source = PictureSource(preparation=prepare, values=values, augmentation="crop_flip")
    inputs = {"image": ModalityInput(present=np.array([value is not None for value in values]), source=source)}
    model = ApplicationModel(encoders={"image": TinyPictureEncoder()}, tasks={"label": task({"image": 8})})
    targets = {"label": goal(truth)}
    return fitting(folder, model=model, inputs=inputs, targets=targets, **{"accumulate": 2, "batch_size": 4, **changed})


KINDS = {"frozen": frozen, "full": full}


class Announcing(Silent):
    """Progress that prints a line for each optimiser step."""

    @contextlib.contextmanager
    def stage(self, name, *, total, unit):
        yield self

    def advance(self, amount=1):
        print("step", flush=True)

    def say(self, note):
        print(note, flush=True)


def announced(kind: str, folder: Path) -> None:
    """Run a fit that writes a checkpoint at each step and tells of it."""
    KINDS[kind](folder, checkpoint_seconds=0, progress=Announcing()).run()
