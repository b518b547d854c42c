"""Noise and blur of a known size."""

import numpy as np
import pytest

from modalities.picture_damage import blurred, with_noise


def test_noise_has_the_deviation_that_was_asked_for():
    grey = np.full((4, 32, 32, 3), 128, np.uint8)
    noised = with_noise(grey, deviation=0.1, random=np.random.default_rng(0))
    assert noised.dtype == np.uint8
    assert noised.std() / 255 == pytest.approx(0.1, rel=0.05)
    assert (with_noise(grey, deviation=0.0, random=np.random.default_rng(0)) == grey).all()


def test_pixels_stay_pixels():
    black = np.zeros((1, 16, 16, 3), np.uint8)
    assert with_noise(black, deviation=1.0, random=np.random.default_rng(0)).max() == 255


def test_blur_spreads_a_point_and_keeps_its_light():
    point = np.zeros((1, 33, 33, 3), np.uint8)
    point[0, 12:21, 12:21] = 200
    spread = blurred(point, radius=2.0)
    assert spread.shape == point.shape
    assert spread.max() < 200
    assert int(spread.sum()) == pytest.approx(int(point.sum()), rel=0.05)
    assert (blurred(np.zeros((0, 8, 8, 3), np.uint8), radius=1.0).shape) == (0, 8, 8, 3)
