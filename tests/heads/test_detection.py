"""The single-shot head: the order of its outputs, its matching and its loss by hand, and that it learns."""

import math

import numpy as np
import pytest
import torch
from torchvision.ops import generalized_box_iou_loss

from heads.boxes import AnchorLevel, anchor_boxes, decode_offsets, detect
from heads.detection import BOX_WEIGHT, DetectionHead, by_anchor

LEVELS = (
    AnchorLevel(rows=4, columns=4, shapes=((0.25, 0.25), (0.4, 0.2))),
    AnchorLevel(rows=2, columns=2, shapes=((0.6, 0.6),)),
    AnchorLevel(rows=1, columns=1, shapes=((1.0, 1.0), (0.9, 0.5))),
)
ANCHORS = 4 * 4 * 2 + 2 * 2 + 2


def head(*, labels=3, seed=0):
    torch.manual_seed(seed)
    return DetectionHead(channels=(6, 10), levels=LEVELS, labels=labels, width=16, depth=1)


def maps(rows=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(rows, 6, 4, 4, generator=generator), torch.randn(rows, 10, 2, 2, generator=generator))


def truth(*pictures, most=3):
    """Pictures as lists of (label, box); None where the boxes are not known."""
    labels = torch.full((len(pictures), most), -1)
    boxes = torch.full((len(pictures), most, 4), float("nan"))
    for row, given in enumerate(pictures):
        for place, (label, box) in enumerate(given or []):
            labels[row, place], boxes[row, place] = label, torch.tensor(box)
    return {"labels": labels, "boxes": boxes, "known": torch.tensor([given is not None for given in pictures])}


def test_every_anchor_has_scores_and_offsets():
    outputs = head()(maps())
    assert outputs["scores"].shape == (2, ANCHORS, 3)
    assert outputs["boxes"].shape == (2, ANCHORS, 4)
    assert len(anchor_boxes(LEVELS)) == ANCHORS


def test_a_new_head_expects_to_see_nothing():
    assert float(torch.sigmoid(head()(maps())["scores"]).mean().detach()) == pytest.approx(0.01, abs=0.002)


def test_outputs_stand_in_the_order_of_the_anchors():
    # Each map holds the centres of its cells, once for each shape: flattened, these must be the anchors' centres.
    given = []
    for level in LEVELS:
        across = (torch.arange(level.columns) + 0.5).div(level.columns).expand(level.rows, -1)
        down = (torch.arange(level.rows) + 0.5).div(level.rows)[:, None].expand(-1, level.columns)
        shapes = [torch.full_like(across, width) for width, _ in level.shapes]
        given.append(torch.stack([part for shape in shapes for part in (across, down, shape)])[None])
    anchors = torch.from_numpy(anchor_boxes(LEVELS))
    expected = torch.cat([(anchors[:, :2] + anchors[:, 2:]) / 2, anchors[:, 2:3] - anchors[:, :1]], dim=1)
    torch.testing.assert_close(by_anchor(given, last=3)[0], expected)


def test_matching_by_hand():
    tested = head()
    target, counted, places = tested.matched(torch.tensor([[0.0, 0.0, 0.25, 0.25]]), torch.tensor([2]))
    # The first anchor is the box itself; the second, 0.4 x 0.2 around the same centre, overlaps it by 0.05 / 0.0925.
    assert torch.nonzero(target).tolist() == [[0, 2], [1, 2]]
    assert places[:2].tolist() == [0, 0]
    assert counted.all()


def test_an_anchor_between_the_limits_does_not_count():
    # 0.4 x 0.2 against 0.25 x 0.32: 0.25 x 0.2 of 0.11 is shared, 0.45; the square shares 0.0625 of 0.08, 0.78.
    target, counted, _ = head().matched(torch.tensor([[0.0, -0.035, 0.25, 0.285]]), torch.tensor([2]))
    assert torch.nonzero(target).tolist() == [[0, 2]]
    assert torch.nonzero(~counted).tolist() == [[1]]


def test_an_object_that_no_anchor_fits_gets_the_nearest():
    target, _, _ = head().matched(torch.tensor([[0.4, 0.4, 0.42, 0.42]]), torch.tensor([1]))
    assert target[:, 1].sum() >= 1


def test_a_picture_without_boxes_wants_nothing_anywhere():
    target, counted, places = head().matched(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))
    assert target.sum() == 0
    assert counted.all()
    assert (places < 0).all()


def test_loss_by_hand():
    tested = head()
    box = [0.02, 0.0, 0.25, 0.25]
    given = truth([(2, box)], [])
    outputs = {"scores": torch.zeros(2, ANCHORS, 3), "boxes": torch.zeros(2, ANCHORS, 4)}
    target, counted, _ = tested.matched(torch.tensor([box]), torch.tensor([2]))
    shown = int(target.sum())
    # Every probability is 0.5: focal loss is 0.25 x 0.5^2 ln 2 for what is shown, 0.75 x 0.5^2 ln 2 for what is not.
    nothing = int(counted.sum()) * 3 - shown + ANCHORS * 3
    focal = (0.25 * shown + 0.75 * nothing) * 0.25 * math.log(2.0)
    anchors = tested.anchors[target.sum(dim=1) > 0]
    overlap = float(generalized_box_iou_loss(anchors, torch.tensor([box] * shown)).sum())
    expected = (focal + BOX_WEIGHT * overlap) / shown
    assert float(tested.loss(outputs, given)) == pytest.approx(expected, rel=1e-5)


def test_pictures_whose_boxes_are_unknown_do_not_count():
    tested = head()
    outputs = tested(maps())
    alone = tested.loss({name: array[:1] for name, array in outputs.items()}, truth([(0, [0.1, 0.1, 0.6, 0.6])]))
    both = tested.loss(outputs, truth([(0, [0.1, 0.1, 0.6, 0.6])], None))
    torch.testing.assert_close(alone, both)


def test_without_a_known_picture_the_loss_is_zero_and_has_a_gradient():
    tested = head()
    loss = tested.loss(tested(maps()), truth(None, None))
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert float(tested.scores[0].weight.grad.abs().sum()) == 0.0


def test_it_learns_two_pictures_by_heart():
    tested = head(seed=1)
    given, wanted = maps(seed=3), truth([(0, [0.05, 0.05, 0.3, 0.25])], [(2, [0.1, 0.2, 0.9, 0.95])])
    optimizer = torch.optim.Adam(tested.parameters(), lr=0.01)
    for _ in range(120):
        optimizer.zero_grad()
        tested.loss(tested(given), wanted).backward()
        optimizer.step()
    outputs = {name: array.detach().numpy() for name, array in tested(given).items()}
    boxes = decode_offsets(outputs["boxes"], anchor_boxes(LEVELS))
    probabilities = 1.0 / (1.0 + np.exp(-outputs["scores"]))
    for row, (label, box) in enumerate([(0, [0.05, 0.05, 0.3, 0.25]), (2, [0.1, 0.2, 0.9, 0.95])]):
        found = detect(probabilities[row], boxes[row], floor=0.3, overlap=0.5, candidates=50, most=10)
        assert found.labels[0] == label
        assert found.boxes[0] == pytest.approx(np.array(box), abs=0.05)
