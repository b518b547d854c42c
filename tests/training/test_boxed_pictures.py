"""Pictures with boxes as the fitting loop reads them."""

import numpy as np
import pytest

from modalities.preparation.pictures import PicturePreparation
from tests.support.tiny_models import png
from training.boxed_pictures import BoxedPictureSource

SIZE = 32


def picture(left, right):
    """Dark, bright between two columns of 40."""
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[10:30, left:right] = 255
    return png(pixels)


@pytest.fixture
def preparation():
    return PicturePreparation(column="p", size=SIZE, mean=(0.0,) * 3, deviation=(1.0,) * 3, whole=True)


def source(preparation, augmentation):
    nan = [np.nan] * 4
    truth = {
        "labels": np.array([[2, -1], [-1, -1], [-1, -1], [1, 0]]),
        "boxes": np.array(
            [[[0.25, 0.25, 0.5, 0.75], nan], [nan, nan], [nan, nan], [[0, 0.25, 0.5, 0.75]] * 2], np.float32
        ),
        "known": np.array([True, True, False, True]),
    }
    values = [picture(10, 20), picture(0, 0), picture(5, 9), picture(0, 20)]
    return BoxedPictureSource(preparation=preparation, values=values, truth=truth, augmentation=augmentation), values


@pytest.mark.parametrize("augmentation", ["none", "flip", "scene"])
def test_scoring_sees_the_pictures_as_serving_does(preparation, augmentation):
    given, values = source(preparation, augmentation)
    found = given.arrays(np.array([2, 0]), random=None)
    assert list(found) == ["pixels"]
    np.testing.assert_array_equal(found["pixels"], preparation([values[2], values[0]])["pixels"])


def test_a_mirrored_picture_has_mirrored_boxes(preparation):
    given, _ = source(preparation, "flip")
    lefts = set()
    for seed in range(8):
        found = given.arrays(np.array([0, 2, 3]), random=np.random.default_rng(seed))
        bright = np.flatnonzero(found["pixels"][0, 0, SIZE // 2] > 0.5)
        left, _, right, _ = found["moved_boxes"][0, 0] * SIZE
        assert (bright.min(), bright.max() + 1) == pytest.approx((left, right), abs=1)
        assert found["moved_labels"].tolist() == [[2, -1], [-1, -1], [1, 0]]
        assert found["moved_known"].tolist() == [1, 0, 1]
        lefts.add(round(float(left)))
    assert lefts == {8, 16}


def test_scenes_are_the_same_under_a_seed_and_differ_between_seeds(preparation):
    given, _ = source(preparation, "scene")
    one, again, other = (given.arrays(np.arange(4), random=np.random.default_rng(seed)) for seed in (3, 3, 4))
    for name, array in one.items():
        np.testing.assert_array_equal(array, again[name])
    assert one["pixels"].shape == (4, 3, SIZE, SIZE)
    assert not np.array_equal(one["pixels"], other["pixels"])


def test_rows_of_unknown_truth_stay_unknown(preparation):
    given, _ = source(preparation, "scene")
    for seed in range(6):
        found = given.arrays(np.array([1, 2]), random=np.random.default_rng(seed))
        assert found["moved_known"].tolist() == [1, 0]
        assert (found["moved_labels"][1] == -1).all()
