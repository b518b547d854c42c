"""Policies over pictures, drawn from a generator of their own."""

import numpy as np
import pytest
import torch

from tests.support.tiny_models import noise
from training.boxed_pictures import boxed_source
from training.inputs import PictureSource, augmented
from training.picture_policies import POLICIES, erased, with_policy

PICTURES = np.stack([noise(seed=number, height=32, width=32) for number in range(6)])


@pytest.mark.parametrize("kind", POLICIES)
def test_a_policy_changes_pictures_the_same_under_a_seed_and_leaves_the_originals(kind):
    before = PICTURES.copy()
    one, again, other = (with_policy(PICTURES, kind=kind, random=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (one.shape, one.dtype) == (PICTURES.shape, np.uint8)
    np.testing.assert_array_equal(one, again)
    np.testing.assert_array_equal(PICTURES, before)
    assert (one != PICTURES).any()
    assert (one != other).any()


@pytest.mark.parametrize("kind", POLICIES)
def test_torchs_own_random_numbers_are_left_alone(kind):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    with_policy(PICTURES, kind=kind, random=np.random.default_rng(1))
    assert torch.equal(torch.rand(4), expected)


def test_a_policy_comes_behind_the_mirror():
    mirrored = augmented(PICTURES, kind="flip", random=np.random.default_rng(5))
    random = np.random.default_rng(5)
    random.random(len(PICTURES))
    expected = with_policy(mirrored, kind="randaugment", random=random)
    np.testing.assert_array_equal(augmented(PICTURES, kind="randaugment", random=np.random.default_rng(5)), expected)


def test_without_pictures_nothing_is_changed():
    assert len(with_policy(PICTURES[:0], kind="augmix", random=np.random.default_rng(0))) == 0


def test_erasing_takes_one_rectangle_of_its_share_of_the_pictures():
    pixels = np.ones((400, 3, 16, 16), np.float32)
    found = erased(pixels, share=0.3, random=np.random.default_rng(0))
    hit = np.flatnonzero((found == 0).any(axis=(1, 2, 3)))
    assert 0.2 < len(hit) / len(pixels) < 0.4
    for picture in found[hit]:
        rows, columns = (np.flatnonzero((picture[0] == 0).any(axis=axis)) for axis in (1, 0))
        assert (picture[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] == 0).all()
        assert (picture == 0).sum() == 3 * len(rows) * len(columns)
    assert (pixels == 1).all()


def test_a_share_of_0_erases_nothing():
    pixels = np.ones((3, 3, 16, 16), np.float32)
    assert erased(pixels, share=0.0, random=np.random.default_rng(0)) is pixels


def test_a_source_erases_in_training_alone():
    from modalities.preparation.pictures import PicturePreparation
    from tests.support.tiny_models import png

    prepare = PicturePreparation(column="p", size=16, mean=(0.2,) * 3, deviation=(1.0,) * 3)
    values = [png(np.full((16, 16, 3), 255, np.uint8))] * 4
    source = PictureSource(preparation=prepare, values=values, erase=1.0)
    rows = np.arange(4)
    assert source.arrays(rows, random=None)["pixels"].min() == pytest.approx(0.8)
    # The mean colour is 0 once it is normalised.
    assert source.arrays(rows, random=np.random.default_rng(0))["pixels"].min() == 0.0


@pytest.mark.parametrize("kind", POLICIES)
def test_boxes_do_not_follow_a_policy(kind):
    from modalities.preparation.pictures import PicturePreparation

    prepare = PicturePreparation(column="p", size=16, mean=(0.0,) * 3, deviation=(1.0,) * 3)
    with pytest.raises(TypeError, match=f"boxes cannot follow a modality of kind 'image' through '{kind}'"):
        boxed_source(preparation=prepare, values=[], truth={}, augmentation=kind)
