import numpy as np

from flows.heat import AGAINST, FOR, overlaid, strengths, tint


def test_the_strongest_has_the_full_colour():
    assert strengths([2.0, -4.0, 0.0]) == [0.5, -1.0, 0.0]
    assert strengths([0.0, 0.0]) == [0.0, 0.0]
    assert strengths([]) == []


def test_no_weight_is_white_and_signs_have_their_colours():
    assert tint(0.0) == "#ffffff"
    red, _, blue = bytes.fromhex(tint(1.0)[1:])
    assert red > blue
    red, _, blue = bytes.fromhex(tint(-1.0)[1:])
    assert blue > red


def test_colours_lie_where_the_weights_are():
    picture = np.full((224, 224, 3), 128, np.uint8)
    heated = overlaid(picture, [[1.0, 0.0], [0.0, -1.0]]).astype(int)
    assert heated.shape == (224, 224, 3)
    assert np.abs(heated[0, 0] - FOR).max() < np.abs(heated[0, 0] - AGAINST).max()
    assert np.abs(heated[-1, -1] - AGAINST).max() < np.abs(heated[-1, -1] - FOR).max()
    assert np.ptp(heated[0, -1]) < 10


def test_without_any_weight_the_picture_is_grey_and_small_ones_are_enlarged():
    heated = overlaid(np.full((8, 8, 3), (200, 30, 30), np.uint8), [[0.0]])
    assert heated.shape == (224, 224, 3)
    assert (np.ptp(heated, axis=2) == 0).all()
