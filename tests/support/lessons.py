"""Few labelled rows beside many without a label, for encoders that learn before the fit."""

import json
from pathlib import Path

import numpy as np
import yaml

from tests.support.paired import halves
from tests.support.tiny_models import SPECIAL, png

COLOURS = ("red", "green", "blue", "white")
THINGS = {"red": "rose", "green": "leaf", "blue": "sky", "white": "snow"}
LETTERS = sorted({*"退款吗在哪里", *"abcdefghijklmnopqrstuvwxyz"})


def write_lessons(folder: Path, **changes: object) -> Path:
    """Both tables, pictures, a vocabulary, and the scenario; returns its path."""
    random = np.random.default_rng(0)
    labelled, unlabelled = [], []
    for number in range(160):
        colour = COLOURS[number % 4]
        other = COLOURS[random.integers(4)]
        (folder / f"{number}.png").write_bytes(png(halves(colour, other, seed=number)))
        # Every text is another: what stands in test rows is not learned from before the fit.
        words = f"{colour} {THINGS[colour]} {' '.join(np.base_repr(number, 7))}"
        row = {"id": f"r{number}", "picture": f"{number}.png", "text": words}
        split = ("train", "validation", "test")[min(number // 4 % 4, 2)] if number < 64 else "train"
        (labelled if number < 64 else unlabelled).append({**row, "split": split, "colour": colour})
    for row in unlabelled:
        del row["colour"]
    for name, rows in (("labelled", labelled), ("unlabelled", unlabelled)):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    pieces = [*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS), *COLOURS, *THINGS.values(), *"0123456"]
    (folder / "vocabulary.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    path = folder / "lessons.yaml"
    path.write_text(yaml.safe_dump({**scenario(folder), **changes}, sort_keys=False), encoding="utf-8")
    return path


def scenario(folder: Path) -> dict[str, object]:
    """Two encoders from nothing; the text's learns from both tables before the fit."""
    table = {"kind": "table", "key": "id", "text": ["text"], "image": "picture", "split": "split"}
    return {
        "name": "lessons",
        "title": "Lessons before the fit",
        "data": {
            "labelled": {**table, "path": "labelled.jsonl", "columns": {"colour": "category"}},
            "unlabelled": {**table, "path": "unlabelled.jsonl"},
        },
        "rows": "labelled",
        "modalities": {
            "text": {
                "kind": "text",
                "model": "bert",
                "weights": "scratch",
                "vocabulary": str(folder / "vocabulary.txt"),
                "layers": 1,
                "width": 32,
                "max_tokens": 16,
            },
            "image": {"kind": "image", "model": "test_resnet", "weights": "scratch", "size": 32},
        },
        "pretrain": {
            "text": {"epochs": 3, "rows": ["labelled", "unlabelled"], "batch_size": 16, "learning_rate": 0.003},
            "image": {"epochs": 2, "kind": "denoising", "batch_size": 16},
        },
        "tasks": {"colour": {"kind": "classification", "target": "colour"}},
        "recipe": {"epochs": 3, "patience": 0, "batch_size": 16, "learning_rate": 0.01},
        "gate": {"metric": "colour.accuracy"},
    }
