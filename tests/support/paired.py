"""Pictures of one colour over another with captions that say which: each caption fits one picture."""

import json
from itertools import permutations
from pathlib import Path

import numpy as np
import yaml

from tests.support.tiny_models import png

COLOURS = {
    "red": (230, 20, 20),
    "green": (20, 200, 30),
    "blue": (20, 30, 230),
    "white": (250, 250, 250),
    "black": (0, 0, 0),
}
FORMS = ("{} over {}", "a picture with {} above {}", "on top {}, below {}")


def write_paired(folder: Path, *, lists: bool, **recipe: object) -> Path:
    """Pictures, a table of captions (or of lists of captions) and the scenario; returns its path."""
    rows = []
    for number, (upper, lower) in enumerate(list(permutations(COLOURS, 2)) * 4):
        name = f"{number}.png"
        (folder / name).write_bytes(png(halves(upper, lower, seed=number)))
        captions = [f"{form.format(upper, lower)} {number}" for form in FORMS]
        split = ("train", "train", "validation", "test")[number // 20]
        for caption in [captions] if lists else captions:
            rows.append({"id": f"{name} {len(rows)}", "picture": name, "caption": caption, "split": split})
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    path = folder / "paired.yaml"
    path.write_text(yaml.safe_dump(scenario(lists=lists, recipe=recipe), sort_keys=False), encoding="utf-8")
    return path


def halves(upper: str, lower: str, *, seed: int) -> np.ndarray:
    """Two colours, a little noisy."""
    pixels = np.array([COLOURS[upper], COLOURS[lower]]).repeat(16, axis=0)[:, None].repeat(32, axis=1)
    return (pixels + np.random.default_rng(seed).integers(-20, 20, pixels.shape)).clip(0, 255).astype(np.uint8)


def scenario(*, lists: bool, recipe: dict[str, object]) -> dict[str, object]:
    """Characters and a small picture encoder, brought together."""
    text = {"columns": {"caption": "labels"}} if lists else {"text": ["caption"]}
    return {
        "name": "paired",
        "title": "Colours and their names",
        "data": {
            "pairs": {
                "kind": "table",
                "path": "pairs.jsonl",
                "key": "id",
                "image": "picture",
                "split": "split",
                **text,
            }
        },
        "modalities": {
            "chars": {"kind": "characters", "dim": 512, "columns": ["caption"]},
            "image": {"kind": "image", "model": "test_resnet", "weights": "scratch", "size": 32},
        },
        "tasks": {"match": {"kind": "alignment", "inputs": ["chars", "image"], "dim": 32}},
        "recipe": {"epochs": 40, "patience": 0, "batch_size": 30, "learning_rate": 0.01, **recipe},
        "index": {
            "rows": "pairs",
            "embed": ["image"],
            "align": {"match": "image"},
            "show": ["caption"],
            "group": "picture",
        },
        "gate": {"metric": "match.recall_at_5", "minimum": 0.3},
    }
