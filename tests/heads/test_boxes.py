"""Anchors, decoding and suppression in numpy, against torchvision's."""

import numpy as np
import pytest
import torch
from torchvision.models.detection._utils import BoxCoder
from torchvision.ops import batched_nms, box_iou, nms

from heads.boxes import (
    OFFSET_WEIGHTS,
    AnchorLevel,
    anchor_boxes,
    best_apart,
    decode_offsets,
    detect,
    overlaps,
)


def random_boxes(count, *, seed):
    random = np.random.default_rng(seed)
    corners = random.uniform(0.0, 0.7, size=(count, 2))
    sides = random.uniform(0.05, 0.3, size=(count, 2))
    return np.concatenate([corners, corners + sides], axis=1).astype(np.float32)


def test_anchors_stand_on_the_centres_of_the_cells_by_hand():
    levels = [
        AnchorLevel(rows=1, columns=2, shapes=((0.5, 1.0), (0.25, 0.5))),
        AnchorLevel(rows=1, columns=1, shapes=((1.0, 1.0),)),
    ]
    assert anchor_boxes(levels).tolist() == [
        [0.0, 0.0, 0.5, 1.0],
        [0.125, 0.25, 0.375, 0.75],
        [0.5, 0.0, 1.0, 1.0],
        [0.625, 0.25, 0.875, 0.75],
        [0.0, 0.0, 1.0, 1.0],
    ]


def test_rows_come_before_columns():
    boxes = anchor_boxes([AnchorLevel(rows=2, columns=3, shapes=((0.0, 0.0),))])
    centres = [(round(float(left), 3), float(top)) for left, top, _, _ in boxes]
    assert centres[:3] == [(0.167, 0.25), (0.5, 0.25), (0.833, 0.25)]
    assert centres[3][1] == 0.75


def test_no_offset_is_the_anchor_and_a_known_offset_moves_and_grows_it():
    anchors = np.array([[0.2, 0.2, 0.4, 0.6]], dtype=np.float32)
    assert decode_offsets(np.zeros((1, 4), np.float32), anchors) == pytest.approx(anchors)
    # Half a width to the right, twice as wide: the centre 0.3 moves to 0.4, the width 0.2 becomes 0.4.
    moved = decode_offsets(np.array([[5.0, 0.0, 5.0 * np.log(2.0), 0.0]], np.float32), anchors)
    assert moved == pytest.approx(np.array([[0.2, 0.2, 0.6, 0.6]]), abs=1e-6)


def test_decoding_is_that_of_torchvision():
    anchors = random_boxes(60, seed=1)
    offsets = np.random.default_rng(2).normal(scale=3.0, size=(60, 4)).astype(np.float32)
    offsets[0, 2:] = 100.0
    expected = BoxCoder(OFFSET_WEIGHTS).decode_single(torch.from_numpy(offsets), torch.from_numpy(anchors))
    assert decode_offsets(offsets, anchors) == pytest.approx(expected.clamp(0, 1).numpy(), abs=1e-6)


def test_a_batch_of_offsets_decodes_like_each_row():
    anchors = random_boxes(5, seed=1)
    offsets = np.random.default_rng(2).normal(size=(3, 5, 4)).astype(np.float32)
    expected = np.stack([decode_offsets(row, anchors) for row in offsets])
    assert np.array_equal(decode_offsets(offsets, anchors), expected)


def test_overlap_by_hand():
    first = np.array([[0.0, 0.0, 0.4, 0.4], [0.5, 0.5, 0.5, 0.5]])
    second = np.array([[0.2, 0.0, 0.6, 0.4], [0.4, 0.0, 0.8, 0.4], [0.5, 0.5, 0.5, 0.5]])
    assert overlaps(first, second) == pytest.approx(np.array([[1 / 3, 0.0, 0.0], [0.0, 0.0, 0.0]]))


@pytest.mark.parametrize("seed", range(5))
def test_suppression_is_that_of_torchvision(seed):
    boxes = random_boxes(200, seed=seed)
    scores = np.random.default_rng(seed).permutation(200).astype(np.float32)
    expected = nms(torch.from_numpy(boxes), torch.from_numpy(scores), 0.3)
    assert best_apart(boxes, scores, overlap=0.3).tolist() == expected.tolist()
    assert overlaps(boxes, boxes) == pytest.approx(box_iou(*[torch.from_numpy(boxes)] * 2).numpy(), abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_detections_are_those_of_torchvision(seed):
    random = np.random.default_rng(seed)
    boxes = random_boxes(150, seed=seed)
    probabilities = random.uniform(size=(150, 3)).astype(np.float32)
    found = detect(probabilities, boxes, floor=0.2, overlap=0.4, candidates=150 * 3, most=50)
    anchors, labels = np.nonzero(probabilities >= 0.2)
    scores = torch.from_numpy(probabilities[anchors, labels])
    kept = batched_nms(torch.from_numpy(boxes[anchors]), scores, torch.from_numpy(labels), 0.4)[:50]
    assert np.array_equal(found.boxes, boxes[anchors[kept]])
    assert found.labels.tolist() == labels[kept].tolist()
    assert found.scores == pytest.approx(scores[kept].numpy())


def test_boxes_of_different_labels_do_not_suppress_one_another():
    boxes = np.array([[0.1, 0.1, 0.5, 0.5]], np.float32)
    found = detect(np.array([[0.9, 0.8]]), boxes, floor=0.05, overlap=0.5, candidates=10, most=10)
    assert found.labels.tolist() == [0, 1]


def test_only_the_best_candidates_are_looked_at():
    boxes = random_boxes(3, seed=0)
    found = detect(np.array([[0.3], [0.9], [0.5]]), boxes, floor=0.05, overlap=1.0, candidates=2, most=10)
    assert found.scores.tolist() == [0.9, 0.5]


def test_nothing_above_the_floor_is_nothing_found():
    found = detect(np.full((4, 2), 0.01), random_boxes(4, seed=0), floor=0.05, overlap=0.5, candidates=5, most=5)
    assert (found.boxes.shape, found.scores.shape, found.labels.shape) == ((0, 4), (0,), (0,))
