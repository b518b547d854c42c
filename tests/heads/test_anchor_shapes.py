"""Anchor shapes fitted to boxes."""

from dataclasses import replace

import numpy as np
import pytest

from heads.anchor_shapes import ZOOMS, fitted_levels
from heads.boxes import anchor_boxes, overlaps


def sized(*sizes):
    return np.array([[0.0, 0.0, width, height] for width, height in sizes])


def test_small_boxes_give_the_shapes_of_the_fine_map():
    boxes = sized(*[(0.1, 0.05)] * 5, *[(0.6, 0.5)] * 5)
    fine, coarse = fitted_levels(boxes, grids=[(8, 8), (4, 4)], shapes=3, seed=0)
    assert np.array(fine.shapes) == pytest.approx(np.array([(0.1 * zoom, 0.05 * zoom) for zoom in ZOOMS]))
    assert np.array(coarse.shapes) == pytest.approx(np.array([(0.6 * zoom, 0.5 * zoom) for zoom in ZOOMS]))
    assert (fine.rows, coarse.columns) == (8, 4)


def test_there_are_no_more_shapes_than_the_boxes_have():
    (level,) = fitted_levels(sized((0.2, 0.2)), grids=[(4, 4)], shapes=9, seed=0)
    assert len(level.shapes) == len(ZOOMS)


def test_the_same_seed_gives_the_same_shapes():
    random = np.random.default_rng(0)
    boxes = sized(*random.uniform(0.05, 1.0, size=(60, 2)))
    assert fitted_levels(boxes, grids=[(4, 4)] * 2, shapes=4, seed=3) == fitted_levels(
        boxes, grids=[(4, 4)] * 2, shapes=4, seed=3
    )


def test_fitted_anchors_cover_boxes_better_than_squares():
    random = np.random.default_rng(1)
    corners = random.uniform(0.0, 0.4, size=(200, 2))
    boxes = np.concatenate([corners, corners + random.uniform(0.05, 0.6, size=(200, 2)) * (1.0, 0.4)], axis=1)
    fitted = fitted_levels(boxes, grids=[(16, 16), (8, 8)], shapes=4, seed=0)
    squares = [replace(level, shapes=((side, side),)) for level, side in zip(fitted, (0.1, 0.4), strict=True)]
    best, plain = (overlaps(boxes, anchor_boxes(levels)).max(axis=1).mean() for levels in (fitted, squares))
    assert best > plain + 0.1
