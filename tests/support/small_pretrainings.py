"""Small pretrainings, as a module of their own so that a child process can run one and be killed in it."""

from pathlib import Path

import numpy as np
import torch

from modalities.encoders.picture import build_picture_encoder
from modalities.encoders.text import build_text_encoder
from modalities.preparation.pictures import PicturePreparation
from modalities.preparation.text import TextPreparation
from modalities.text_models import load_tokenizer
from tests.support.small_fits import Announcing
from tests.support.tiny_models import png, write_bert
from training.device import place
from training.inputs import live_source
from training.label_contrast import LabelContrast
from training.pretraining import Pretraining
from training.pretraining_objectives import MaskedLanguage, PictureRepainting
from training.process import set_up_process

ROWS = 60
# Only so does a GPU give the same gradients again.
set_up_process()


def pretraining(folder: Path, objective, **changed) -> Pretraining:
    """A pretraining of a few epochs in which everything can be changed."""
    settings = {
        "rows": np.arange(0, 48),
        "held_out": np.arange(48, ROWS),
        "placement": place("fp32"),
        "epochs": 3,
        "seed": 7,
        "batch_size": 8,
        "learning_rate": 0.003,
    }
    return Pretraining(objective=objective, folder=folder, **{**settings, **changed})


def text(folder: Path, *, unit="word", **changed) -> Pretraining:
    """A tiny BERT over texts in which every word is followed by the same other one."""
    model = str(write_bert(folder.parent / "bert"))
    torch.manual_seed(7)
    encoder = build_text_encoder(model=model, weights="scratch", pooling="mean")
    tokenizer, padding = load_tokenizer(model=model, weights="scratch")
    prepare = TextPreparation(tokenizer=tokenizer, columns=["t"], max_tokens=16, padding_id=padding)
    objective = MaskedLanguage(encoder=encoder, preparation=prepare, values=rhymes(), share=0.2, unit=unit)
    return pretraining(folder, objective, **changed)


def rhymes(rows: int = ROWS) -> list[str]:
    """Texts of pairs: red shoe, blue hat, lost card, 退款."""
    random = np.random.default_rng(0)
    pairs = ("red shoe", "blue hat", "lost card", "退款")
    return [" ".join(pairs[number] for number in random.integers(0, 4, 1 + row % 4)) for row in range(rows)]


def picture(folder: Path, *, task="masked", model="test_resnet", **changed) -> Pretraining:
    """A tiny network over two-coloured pictures."""
    torch.manual_seed(7)
    encoder = build_picture_encoder(model=model, weights="scratch")
    prepare = PicturePreparation(column="p", size=32, mean=(0.5,) * 3, deviation=(0.25,) * 3)
    objective = PictureRepainting(
        encoder=encoder, preparation=prepare, values=halves(), task=task, share=0.4, augmentation="flip"
    )
    return pretraining(folder, objective, **changed)


def halves(rows: int = ROWS, *, size: int = 32) -> list[bytes]:
    """Pictures whose upper half is of one colour and whose lower half of another."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (rows, 2, 1, 3)).repeat(size // 2, axis=1).repeat(size, axis=2)
    return [png(one.astype(np.uint8)) for one in pixels]


def contrast(folder: Path, *, kind="text", labels=None, patience=3, **changed) -> Pretraining:
    """A tiny encoder over rows of few labels, which tell themselves by a word, or by the colour above."""
    torch.manual_seed(7)
    if kind == "text":
        model = str(write_bert(folder.parent / "bert"))
        encoder = build_text_encoder(model=model, weights="scratch", pooling="mean")
        tokenizer, padding = load_tokenizer(model=model, weights="scratch")
        prepare = TextPreparation(tokenizer=tokenizer, columns=["t"], max_tokens=16, padding_id=padding)
        values = wishes()
    else:
        encoder = build_picture_encoder(model="test_resnet", weights="scratch")
        prepare = PicturePreparation(column="p", size=32, mean=(0.5,) * 3, deviation=(0.25,) * 3)
        values = skies()
    numbers = np.arange(ROWS) % 4 if labels is None else labels
    objective = LabelContrast(
        encoder=encoder,
        source=live_source(preparation=prepare, values=values, augmentation="none" if kind == "text" else "flip"),
        labels=numbers,
        held_out=np.isin(np.arange(len(numbers)), changed.get("held_out", np.arange(48, ROWS))),
        temperature=0.1,
    )
    return pretraining(folder, objective, patience=patience, **changed)


def wishes(rows: int = ROWS) -> list[str]:
    """Texts of four labels, in turn: each has a word of its own among words of all."""
    random = np.random.default_rng(0)
    own, any_ = ("shoe", "hat", "card", "退款"), ("red", "blue", "the", "my", "lost", "吗")
    texts = []
    for row in range(rows):
        words = [own[row % 4], *(any_[number] for number in random.integers(0, 6, 1 + row % 5))]
        texts.append(" ".join(words[place] for place in random.permutation(len(words))))
    return texts


def skies(rows: int = ROWS, *, size: int = 32) -> list[bytes]:
    """Pictures of four labels, in turn: the upper half has the label's colour, the lower one any."""
    random = np.random.default_rng(0)
    colours = np.array([[220, 30, 30], [30, 220, 30], [30, 30, 220], [220, 220, 220]])
    pixels = random.integers(0, 256, (rows, 2, 1, 3))
    pixels[:, 0, 0] = colours[np.arange(rows) % 4]
    large = pixels.repeat(size // 2, axis=1).repeat(size, axis=2)
    return [png(one.astype(np.uint8)) for one in large]


KINDS = {"text": text, "picture": picture, "contrast": contrast}


def announced(kind: str, folder: Path) -> None:
    """Run one that writes a checkpoint at each step and tells of it."""
    KINDS[kind](folder, checkpoint_seconds=0, progress=Announcing()).run()
