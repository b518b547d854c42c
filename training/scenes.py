"""Scenes with boxes, each time otherwise: cut out, moved away, mirrored, put together, in another light."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

GREY = 127
# What is less than this many pixels wide or high is no object any more.
SMALLEST = 3.0
# How often a scene is put together of four; of the others, how often it is moved away or cut.
MOSAIC, AWAY, CUT = 0.5, 0.3, 0.5
LIGHT = v2.ColorJitter(brightness=0.3, contrast=0.3, saturation=0.3)
# The random cut of SSD (Liu et al., 2016), which keeps a good part of some box.
WINDOW = v2.RandomIoUCrop(min_scale=0.3, max_scale=1.0, min_aspect_ratio=0.5, max_aspect_ratio=2.0)
OUTSIDE = v2.SanitizeBoundingBoxes(min_size=SMALLEST)
Rectangle = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""


@dataclass(frozen=True)
class Scene:
    """A picture, uint8 [3, height, width], with its boxes [boxes, 4] in shares of it, and label numbers [boxes]."""

    picture: Tensor
    boxes: Tensor
    labels: Tensor


def changed(scenes: Sequence[Scene], *, size: int, random: np.random.Generator) -> Scene:
    """The first scene, changed, as a picture of `size` x `size`; three others may come to stand beside it."""
    with torch.random.fork_rng(devices=[]):
        # torchvision draws from torch's global state alone.
        torch.manual_seed(int(random.integers(2**62)))
        kind = random.random()
        if random.random() < MOSAIC:
            scene = put_together(scenes, size=size, random=random)
        elif kind < AWAY:
            scene = placed(scenes[:1], [away(size=size, random=random)], size=size, random=random)
        else:
            first = cut(scenes[0]) if kind < AWAY + CUT else scenes[0]
            scene = placed([first], [(0, 0, size, size)], size=size, random=random)
        return Scene(picture=LIGHT(scene.picture), boxes=scene.boxes, labels=scene.labels)


def put_together(scenes: Sequence[Scene], *, size: int, random: np.random.Generator) -> Scene:
    """Four scenes around a point near the middle: the mosaic of Bochkovskiy et al., "YOLOv4" (2020)."""
    across, down = (int(size * share) for share in random.uniform(0.3, 0.7, size=2))
    quarters = [(0, 0, across, down), (across, 0, size, down), (0, down, across, size), (across, down, size, size)]
    return placed(scenes, quarters, size=size, random=random)


def away(*, size: int, random: np.random.Generator) -> Rectangle:
    """A place for a scene seen from further away, 0.4 to 1 times as large and somewhat stretched."""
    zoom, stretch = random.uniform(0.4, 1.0), np.exp(random.uniform(-0.3, 0.3))
    width, height = (min(size, int(size * share)) for share in (zoom * stretch, zoom / stretch))
    left, top = (int(random.integers(size - length + 1)) for length in (width, height))
    return left, top, left + width, top + height


def cut(scene: Scene) -> Scene:
    """A window of the scene; boxes whose centre is outside are gone."""
    height, width = scene.picture.shape[-2:]
    edges = scene.boxes * torch.tensor([width, height, width, height])
    given = {
        "picture": tv_tensors.Image(scene.picture),
        "boxes": tv_tensors.BoundingBoxes(edges, format="XYXY", canvas_size=(height, width)),
        "labels": scene.labels,
    }
    found = OUTSIDE(WINDOW(given))
    picture, boxes = (found[name].as_subclass(Tensor) for name in ("picture", "boxes"))
    height, width = picture.shape[-2:]
    return Scene(picture=picture, boxes=boxes / torch.tensor([width, height, width, height]), labels=found["labels"])


def placed(scenes: Sequence[Scene], places: Sequence[Rectangle], *, size: int, random: np.random.Generator) -> Scene:
    """Scenes, half of them mirrored, squeezed into places of a grey square; boxes that become too small are gone."""
    picture = torch.full((3, size, size), GREY, dtype=torch.uint8)
    boxes = []
    for scene, (left, top, right, bottom) in zip(scenes, places, strict=True):
        turned = mirrored(scene) if random.random() < 0.5 else scene
        width, height = right - left, bottom - top
        picture[:, top:bottom, left:right] = v2.functional.resize(turned.picture, [height, width], antialias=True)
        boxes.append(turned.boxes * torch.tensor([width, height] * 2) + torch.tensor([left, top] * 2))
    edges, labels = torch.cat(boxes), torch.cat([scene.labels for scene in scenes])
    large = ((edges[:, 2:] - edges[:, :2]) >= SMALLEST).all(dim=1)
    return Scene(picture=picture, boxes=edges[large] / size, labels=labels[large])


def mirrored(scene: Scene) -> Scene:
    """Left and right exchanged."""
    left, top, right, bottom = scene.boxes.unbind(dim=1)
    boxes = torch.stack([1.0 - right, top, 1.0 - left, bottom], dim=1)
    return Scene(picture=scene.picture.flip(-1), boxes=boxes, labels=scene.labels)
