"""Points around six corners that arrived in three months, two labels new in each: what a tiny head learns in steps."""

import json
from pathlib import Path

import numpy as np
import yaml

from tests.support.tiny_models import write_bert

LABELS = ("ant", "bee", "cat", "dog", "eel", "fox")
MONTHS = ("2026-01", "2026-02", "2026-03")
SPLITS = ("train", "train", "validation", "test")
SIDES = ("north", "east", "up")


def write_arrivals(
    folder: Path, *, text: bool = False, task: dict[str, object] | None = None, **recipe: object
) -> Path:
    """The rows and the scenario, with `text` over a tiny BERT in the place of numbers; returns its path."""
    random = np.random.default_rng(0)
    lines = [json.dumps(row(number, random)) + "\n" for number in range(240)]
    (folder / "arrivals.jsonl").write_text("".join(lines), encoding="utf-8")
    columns = {"label": "category", "month": "category", "size": "number", **dict.fromkeys(SIDES, "number")}
    source = {"kind": "table", "path": "arrivals.jsonl", "key": "id", "text": ["words"], "split": "split"}
    modalities: dict[str, object] = {"place": {"kind": "number", "columns": list(SIDES)}}
    if text:
        model = str(write_bert(folder / "bert"))
        modalities = {"words": {"kind": "text", "model": model, "weights": model, "max_tokens": 8}}
    scenario = {
        "name": "arrivals",
        "title": "Arrivals",
        "data": {"animals": {**source, "columns": columns}},
        "modalities": modalities,
        "fusion": {"kind": "concat", "hidden": 0, "dropout": 0.0},
        "tasks": {"animal": {"kind": "classification", "target": "label", **(task or {})}},
        "recipe": {"epochs": 8, "patience": 0, "batch_size": 16, "learning_rate": 0.05, **recipe},
        "gate": {"metric": "animal.accuracy"},
    }
    path = folder / "arrivals.yaml"
    path.write_text(yaml.safe_dump(scenario, sort_keys=False), encoding="utf-8")
    return path


def row(number: int, random: np.random.Generator) -> dict[str, object]:
    """A point near its label's corner, which arrived when its label did; its words say the label too."""
    label = number % len(LABELS)
    place = corners()[label] + random.normal(scale=0.15, size=3)
    return {
        "id": f"a{number}",
        "label": LABELS[label],
        "month": MONTHS[label // 2],
        "split": SPLITS[number // len(LABELS) % len(SPLITS)],
        "words": ("red shoe", "blue shoe", "my card", "lost card", "red hat", "blue hat")[label],
        "size": float(place.sum()),
        **dict(zip(SIDES, map(float, place), strict=True)),
    }


def corners() -> np.ndarray:
    """One corner a label [labels, sides]: both ends of each axis."""
    return np.concatenate([np.eye(3), -np.eye(3)])[[0, 3, 1, 4, 2, 5]]
