"""Small fits under every strategy, as a module of their own so that a child process can run one and be killed in it."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from modalities.encoders.picture import build_picture_encoder
from modalities.encoders.text import build_text_encoder
from modalities.preparation.pictures import PicturePreparation
from modalities.preparation.text import TextPreparation
from modalities.text_models import load_tokenizer
from tests.support.small_fits import Announcing, decoder, fitting, goal, task
from tests.support.tiny_models import WORDS, png, write_bert
from training.checkpoint import contiguous
from training.fitting import Fitting
from training.inputs import ModalityInput, live_source
from training.model import ApplicationModel
from training.parameters import task_groups
from training.strategies.attach import attach
from training.strategies.settings import StrategySettings

ROWS = 36
MODELS = ("bert", "test_vit", "test_resnet")
SETTINGS = StrategySettings(rank=2, alpha=4.0, tokens=3, bottleneck=4, layer_decay=0.8, unfreeze_epochs=2)


def write_model(folder: Path, name: str) -> Path:
    """Weights as a trained net has them: with statistics and biases."""
    if name == "bert":
        return write_bert(folder / name)
    torch.manual_seed(0)
    encoder = build_picture_encoder(model=name, weights="scratch")
    for module in encoder.modules():
        if isinstance(module, _BatchNorm):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            # timm starts the last one of a block at zero, which lets nothing through to what is before it.
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            module.num_batches_tracked += 9
    save_file(contiguous(encoder.backbone.state_dict()), folder / f"{name}.safetensors")
    return folder / f"{name}.safetensors"


def build(name: str, weights: Path) -> nn.Module:
    """The plain encoder with its weights."""
    if name == "bert":
        return build_text_encoder(model=name, weights=str(weights), pooling="mean")
    return build_picture_encoder(model=name, weights=str(weights))


def preparation(name: str, weights: Path):
    if name == "bert":
        tokenizer, padding = load_tokenizer(model=name, weights=str(weights))
        return TextPreparation(tokenizer=tokenizer, columns=("t",), max_tokens=16, padding_id=padding)
    size = 160 if name == "test_vit" else 64
    return PicturePreparation(column="p", size=size, mean=(0.5,) * 3, deviation=(0.5,) * 3)


def values(name: str) -> list[object]:
    """Texts of one word a label among others, or pictures in one colour a label among noise."""
    random = np.random.default_rng(2)
    if name == "bert":
        return [" ".join([*random.choice(WORDS[5:10], 3 + row % 4), WORDS[row % 3]]) for row in range(ROWS)]
    pixels = random.integers(0, 90, (ROWS, 64, 64, 3)).astype(np.uint8)
    for row in range(ROWS):
        pixels[row, ..., row % 3] += 120
    return [png(picture) for picture in pixels]


def strategy_fit(name: str, weights: Path, strategy: str, folder: Path, **changed) -> Fitting:
    """Three epochs of nine steps under a strategy."""
    prepare, given = preparation(name, weights), values(name)
    source = live_source(preparation=prepare, values=given)
    tuning = attach(build(name, weights), strategy=strategy, settings=SETTINGS, seed=7)
    torch.manual_seed(7)
    tasks = {"label": task({"one": tuning.encoder.dim}, dropout=0.1)}
    model = ApplicationModel(encoders={"one": tuning.encoder}, tasks=tasks)
    groups = [*tuning.parameter_groups(learning_rate=0.01, weight_decay=0.01), *task_groups(model, 0.01, 0.01)]
    settings = {
        "train_rows": np.arange(0, 24),
        "validation_rows": np.arange(24, ROWS),
        "epochs": 3,
        "groups": groups,
        "tunings": [tuning],
    }
    inputs = {"one": ModalityInput(present=np.ones(ROWS, bool), source=source)}
    targets = {"label": goal(np.arange(ROWS) % 3, decoder())}
    return fitting(folder, model=model, inputs=inputs, targets=targets, **{**settings, **changed})


def announced(name: str, weights: Path, strategy: str, folder: Path) -> None:
    """Run a fit that writes a checkpoint at each step and tells of it."""
    strategy_fit(name, weights, strategy, folder, checkpoint_seconds=0, progress=Announcing()).run()
