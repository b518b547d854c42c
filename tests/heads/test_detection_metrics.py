"""Average precision by hand, and the numpy way against pycocotools."""

import numpy as np
import pytest

from heads.boxes import Detections
from heads.detection_metrics import (
    FIRST_HIT,
    LABEL,
    coco_figures,
    judged,
    map_50,
    map_50_95,
    padded,
    true_rows,
)

BOX, FAR = [0.1, 0.1, 0.5, 0.5], [0.6, 0.6, 0.9, 0.9]


def boxes(*given, scores=None, labels=None):
    count = len(given)
    return Detections(
        boxes=np.array(given, dtype=np.float32).reshape(-1, 4),
        scores=np.array(scores if scores is not None else [1.0] * count, dtype=np.float32),
        labels=np.array(labels if labels is not None else [0] * count, dtype=np.int64),
    )


def arrays(found, true):
    rows = [judged(*pair) for pair in zip(found, true, strict=True)]
    length = max(*map(len, rows), *(len(each.labels) for each in true))
    return padded([true_rows(each) for each in true], length=length), padded(rows, length=length)


def random_picture(random, *, labels=3):
    """True boxes, and found ones that are near some of them."""
    count = int(random.integers(0, 6))
    corners = random.uniform(0.0, 0.6, size=(count, 2))
    true = np.concatenate([corners, corners + random.uniform(0.05, 0.4, size=(count, 2))], axis=1)
    numbers = random.integers(0, labels, size=count)
    near = np.concatenate([true + random.normal(scale=0.03, size=true.shape) for _ in range(2)])
    wild = np.concatenate([corners[:2], corners[:2] + 0.2], axis=1)
    found = np.concatenate([near, wild])
    found = np.concatenate([np.minimum(found[:, :2], found[:, 2:]), np.maximum(found[:, :2], found[:, 2:])], axis=1)
    guesses = np.where(random.uniform(size=len(found)) < 0.8, np.resize(numbers, len(found)), 0) if count else numbers
    scores = random.uniform(size=len(found)).round(1)
    return boxes(*found, scores=scores, labels=guesses), boxes(*true, labels=numbers)


def test_average_precision_by_hand():
    # Best first: right, wrong, right; two true boxes. Precision 1 up to recall 0.5 (51 of 101 recalls), then 2/3.
    found = [boxes(BOX, FAR, FAR, scores=[0.9, 0.8, 0.7]), boxes()]
    true = [boxes(BOX), boxes()]
    found[0] = boxes(BOX, FAR, scores=[0.9, 0.8])
    found[1] = boxes(FAR, scores=[0.7])
    true[1] = boxes(FAR)
    expected = (51 * 1.0 + 50 * 2 / 3) / 101
    assert map_50(*arrays(found, true)) == pytest.approx(expected)
    assert coco_figures(found, true, labels=["car"])["map_50"] == pytest.approx(expected)


def test_a_second_box_on_the_same_object_is_wrong():
    rows = judged(boxes(BOX, BOX, scores=[0.5, 0.9]), boxes(BOX))
    assert rows[:, FIRST_HIT].tolist() == [0.0, 1.0]


def test_a_box_of_another_label_is_wrong():
    assert judged(boxes(BOX, labels=[1]), boxes(BOX))[0, FIRST_HIT:].sum() == 0.0


def test_looser_boxes_match_at_lower_overlaps_only():
    # 0.4 x 0.4 against 0.4 x 0.5: the overlap is 0.8, which is enough for 0.5 to 0.8 but not for 0.85.
    rows = judged(boxes([0.1, 0.1, 0.5, 0.5]), boxes([0.1, 0.1, 0.5, 0.601]))
    assert rows[0, FIRST_HIT:].tolist() == [1.0] * 6 + [0.0] * 4


def test_truth_against_itself_is_perfect():
    true = [boxes(BOX, FAR, labels=[0, 2]), boxes()]
    rows = padded([true_rows(each) for each in true])
    assert map_50(rows, rows) == map_50_95(rows, rows) == 1.0


def test_a_label_that_is_never_true_does_not_count():
    true = [boxes(BOX)]
    found = [boxes(BOX, FAR, scores=[0.5, 0.9], labels=[0, 1])]
    assert map_50(*arrays(found, true)) == 1.0
    figures = coco_figures(found, true, labels=["car", "bus"])
    assert figures == pytest.approx({"map_50": 1.0, "map_50_95": 1.0, "ap_50_car": 1.0})


def test_without_boxes_the_figures_are_zero():
    assert map_50(padded([]), padded([])) == 0.0
    assert map_50(*arrays([boxes(BOX)], [boxes()])) == 0.0
    assert coco_figures([boxes(BOX)], [boxes()], labels=["car"]) == {"map_50": 0.0, "map_50_95": 0.0}
    assert coco_figures([boxes()], [boxes(BOX)], labels=["car"])["map_50"] == 0.0


def test_more_than_a_hundred_boxes_of_a_label_in_a_picture_are_not_looked_at():
    many = [[0.0, 0.0, 0.01 + 0.001 * number, 0.01] for number in range(101)]
    found = [boxes(*many, BOX, scores=[0.9] * 101 + [0.1])]
    assert judged(found[0], boxes(BOX))[-1, LABEL] == -1.0
    assert map_50(*arrays(found, [boxes(BOX)])) == coco_figures(found, [boxes(BOX)], labels=["car"])["map_50"] == 0.0


@pytest.mark.parametrize("seed", range(8))
def test_the_numpy_way_agrees_with_pycocotools(seed):
    random = np.random.default_rng(seed)
    found, true = zip(*(random_picture(random) for _ in range(20)), strict=True)
    truth, predicted = arrays(found, true)
    figures = coco_figures(found, true, labels=["a", "b", "c"])
    assert 0.1 < figures["map_50"] < 1.0
    assert map_50(truth, predicted) == pytest.approx(figures["map_50"], abs=1e-6)
    assert map_50_95(truth, predicted) == pytest.approx(figures["map_50_95"], abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_a_resample_is_what_pycocotools_says_of_the_same_pictures(seed):
    random = np.random.default_rng(seed)
    found, true = zip(*(random_picture(random) for _ in range(12)), strict=True)
    truth, predicted = arrays(found, true)
    drawn = random.integers(0, 12, size=12)
    figures = coco_figures([found[row] for row in drawn], [true[row] for row in drawn], labels=["a", "b", "c"])
    assert map_50(truth[drawn], predicted[drawn]) == pytest.approx(figures["map_50"], abs=1e-6)


def test_pycocotools_writes_nothing_to_stdout(capsys):
    coco_figures([boxes(BOX)], [boxes(BOX)], labels=["car"])
    assert capsys.readouterr().out == ""
