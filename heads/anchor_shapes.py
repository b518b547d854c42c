"""Anchor shapes that fit the boxes of the training rows."""

from collections.abc import Sequence

import numpy as np
from scipy.cluster.vq import kmeans2

from heads.boxes import AnchorLevel

# Augmentation shows each box smaller and larger than it is.
ZOOMS = (0.7, 1.0, 1.4)
SMALLEST = 0.02


def fitted_levels(
    boxes: np.ndarray, *, grids: Sequence[tuple[int, int]], shapes: int, seed: int
) -> tuple[AnchorLevel, ...]:
    """Anchors for feature maps of these rows and columns, fine to coarse, from true boxes [boxes, 4] in shares.

    The boxes are divided by size into as many equal parts as there are maps, and k-means over the logarithms of width
    and height finds `shapes` shapes in each (Redmon and Farhadi, "YOLO9000", 2016, find theirs in a like way).
    """
    sizes = zoomed(boxes)
    side = np.sqrt(sizes.prod(axis=1))
    limits = np.quantile(side, np.linspace(0.0, 1.0, len(grids) + 1)[1:-1])
    level = np.searchsorted(limits, side)
    return tuple(
        AnchorLevel(rows=rows, columns=columns, shapes=common_shapes(sizes[level == number], count=shapes, seed=seed))
        for number, (rows, columns) in enumerate(grids)
    )


def zoomed(boxes: np.ndarray) -> np.ndarray:
    """Widths and heights [boxes x zooms, 2] of the boxes as augmentation will show them, within the picture."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    return np.concatenate([sizes * zoom for zoom in ZOOMS]).clip(SMALLEST, 1.0)


def common_shapes(sizes: np.ndarray, *, count: int, seed: int) -> tuple[tuple[float, float], ...]:
    """The centres of `count` groups of like shape, the smallest first; fewer where there are fewer shapes."""
    logarithms = np.log(sizes.astype(np.float64))
    different = len(np.unique(logarithms, axis=0))
    centres, _ = kmeans2(logarithms, min(count, different), minit="++", rng=np.random.default_rng(seed))
    found = np.exp(centres[np.argsort(centres.sum(axis=1))])
    return tuple((float(width), float(height)) for width, height in found)
