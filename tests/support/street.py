"""A street of toys: red and blue rectangles on grey, with YOLO boxes, that a small detector can find."""

from pathlib import Path

import numpy as np
import yaml

from tests.support.tiny_models import png

COLOURS = {"red": (220, 40, 40), "blue": (40, 60, 220)}
SIDE = 96
COUNTS = {"train": 48, "validation": 12, "test": 12}


def write_street(folder: Path, **recipe: object) -> Path:
    """Pictures, labels and the scenario; returns its path."""
    random = np.random.default_rng(0)
    (folder / "colours.txt").write_text("\n".join(COLOURS), encoding="utf-8")
    for split, count in COUNTS.items():
        for part in ("images", "labels"):
            (folder / split / part).mkdir(parents=True)
        for number in range(count):
            pixels, lines = street(random)
            (folder / split / "images" / f"{split}{number}.png").write_bytes(png(pixels))
            (folder / split / "labels" / f"{split}{number}.txt").write_text("\n".join(lines), encoding="utf-8")
    path = folder / "street.yaml"
    path.write_text(yaml.safe_dump(scenario(recipe), sort_keys=False), encoding="utf-8")
    return path


def street(random: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """A picture 96 high and 144 wide with one toy in each half, and its lines of labels."""
    height, width = SIDE, SIDE * 3 // 2
    pixels = random.integers(110, 150, size=(height, width, 3)).astype(np.uint8)
    lines = []
    for half in range(2):
        label = int(random.integers(2))
        wide, high = random.integers(28, 56), random.integers(28, 60)
        left = half * width // 2 + random.integers(0, width // 2 - wide)
        top = random.integers(0, height - high)
        pixels[top : top + high, left : left + wide] = list(COLOURS.values())[label]
        shares = ((left + wide / 2) / width, (top + high / 2) / height, wide / width, high / height)
        lines.append(" ".join(map(str, (label, *shares))))
    return pixels, lines


def scenario(recipe: dict[str, object]) -> dict[str, object]:
    """A detector of toys."""
    return {
        "name": "street",
        "title": "Toys in a street",
        "data": {
            "photos": {
                "kind": "boxes",
                "layout": "yolo",
                "path": {split: split for split in COUNTS},
                "classes": "colours.txt",
            }
        },
        "modalities": {
            "photo": {"kind": "image", "model": "resnet10t", "weights": "scratch", "size": 64, "augment": "flip"}
        },
        "tasks": {"toys": {"kind": "detection", "target": "boxes", "shapes": 3, "width": 32}},
        "recipe": {
            "strategy": "full",
            "epochs": 30,
            "patience": 0,
            "batch_size": 8,
            "learning_rate": 0.005,
            "encoder_learning_rate": 0.002,
            **recipe,
        },
        "gate": {"metric": "toys.map_50"},
    }
