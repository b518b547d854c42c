"""The picture of what was learned in steps."""

import numpy as np
import pytest
from PIL import Image

from flows.step_pictures import step_picture
from polyloom.errors import DataError


def steps(count, *, score=1.0):
    return [
        {
            "name": str(number),
            "scores": [score if other <= number else None for other in range(count)],
            "so_far": score,
            "forgetting": 0.0 if number else None,
        }
        for number in range(count)
    ]


def blue(path):
    """How many pixels have the colour of a score of 1."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int).reshape(-1, 3)
    return int((abs(pixels - [0x1F, 0x6F, 0x8B]) < 2).all(axis=1).sum())


def test_cells_are_as_dark_as_their_scores(tmp_path):
    step_picture(tmp_path / "high.png", steps=steps(4), metric="accuracy", title="t")
    step_picture(tmp_path / "low.png", steps=steps(4, score=0.1), metric="accuracy", title="t")
    assert blue(tmp_path / "high.png") > 5 * blue(tmp_path / "low.png")


def test_many_steps_and_one(tmp_path):
    for count in (1, 40):
        step_picture(tmp_path / f"{count}.png", steps=steps(count), metric="accuracy", title="退款 $1")
        assert blue(tmp_path / f"{count}.png") > 1000


def test_no_steps_are_no_picture(tmp_path):
    with pytest.raises(DataError, match="picture of steps: there are none"):
        step_picture(tmp_path / "none.png", steps=[], metric="accuracy", title="t")
