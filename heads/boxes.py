"""Anchors, box regression and suppression in numpy: the same in evaluation and in serving.

A box is left, top, right, bottom. Inside the network it is given in shares of the prepared picture, 0..1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Faster R-CNN's weights of box regression, for torchvision's BoxCoder too: all offsets are learned at a like scale.
OFFSET_WEIGHTS = (10.0, 10.0, 5.0, 5.0)
# exp() of more than this would give a box a thousand times its anchor.
MAX_LOG_RATIO = float(np.log(1000.0 / 16.0))


@dataclass(frozen=True)
class AnchorLevel:
    """The anchors of one feature map: its rows and columns, and the shapes (width, height) that stand in each cell."""

    rows: int
    columns: int
    shapes: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Detections:
    """What was found in one picture, best first: boxes [found, 4], scores [found] in 0..1, label numbers [found]."""

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


def anchor_boxes(levels: Sequence[AnchorLevel]) -> np.ndarray:
    """All anchors [anchors, 4], float32, in shares of the picture: by level, then row, column and shape."""
    return np.concatenate([level_anchors(level) for level in levels]).astype(np.float32)


def level_anchors(level: AnchorLevel) -> np.ndarray:
    """The anchors of one level [rows x columns x shapes, 4]; each is centred on its cell and may leave the picture."""
    vertical, horizontal = (np.arange(1, 2 * count, 2) / (2 * count) for count in (level.rows, level.columns))
    across, down = np.meshgrid(horizontal, vertical)
    centres = np.stack([across, down], axis=-1)[:, :, None, :]
    half = np.asarray(level.shapes, dtype=np.float64) / 2
    return np.concatenate([centres - half, centres + half], axis=-1).reshape(-1, 4)


def decode_offsets(offsets: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Boxes [..., anchors, 4] inside the picture, from the head's offsets to the anchors [anchors, 4].

    The parametrisation of Faster R-CNN (Ren et al., 2015, equation 2), as torchvision's BoxCoder decodes it.
    """
    sizes = anchors[:, 2:] - anchors[:, :2]
    centres = anchors[:, :2] + sizes / 2
    scaled = offsets / np.asarray(OFFSET_WEIGHTS, dtype=np.float32)
    middle = scaled[..., :2] * sizes + centres
    half = np.exp(np.minimum(scaled[..., 2:], MAX_LOG_RATIO)) * sizes / 2
    return np.asarray(np.concatenate([middle - half, middle + half], axis=-1).clip(0.0, 1.0))


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of each pair [first, second], 0..1; two empty boxes do not overlap."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = (high - low).clip(min=0.0).prod(axis=-1)
    union = areas(first)[:, None] + areas(second)[None, :] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0.0))


def areas(boxes: np.ndarray) -> np.ndarray:
    """Area of each box."""
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


def best_apart(boxes: np.ndarray, scores: np.ndarray, *, overlap: float) -> np.ndarray:
    """Greedy non-maximum suppression: numbers of the boxes that no better one overlaps by more, best first."""
    order = np.argsort(-scores, kind="stable")
    shared = overlaps(boxes[order], boxes[order]) > overlap
    alive = np.ones(len(order), dtype=bool)
    for place in range(len(order)):
        if alive[place]:
            alive[place + 1 :] &= ~shared[place, place + 1 :]
    return np.asarray(order[alive])


def detect(
    probabilities: np.ndarray, boxes: np.ndarray, *, floor: float, overlap: float, candidates: int, most: int
) -> Detections:
    """What one picture shows, from probabilities [anchors, labels] and boxes [anchors, 4].

    At most `candidates` pairs of anchor and label of at least `floor` are looked at, those of one label suppress
    one another, and at most `most` remain.
    """
    flat = probabilities.ravel()
    count = min(candidates, flat.size)
    chosen = np.argpartition(-flat, count - 1)[:count] if count else np.zeros(0, dtype=np.int64)
    chosen = np.sort(chosen[flat[chosen] >= floor])
    anchors, labels = np.divmod(chosen, probabilities.shape[1])
    # Boxes of different labels are moved apart, so that one pass serves all labels.
    apart = best_apart(boxes[anchors] + 2.0 * labels[:, None], flat[chosen], overlap=overlap)[:most]
    return Detections(boxes=boxes[anchors[apart]], scores=flat[chosen[apart]], labels=labels[apart])
