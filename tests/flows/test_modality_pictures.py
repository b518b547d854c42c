"""The picture of what each modality is worth."""

import numpy as np
from PIL import Image

from flows.modality_pictures import modality_bars
from heads.robustness import Harmed, ModalityWorth

RED = (0xC8, 0x55, 0x3D)


def worth(removed):
    harmed = Harmed(value=0.4, change_low=-0.6, change_high=-0.4)
    return ModalityWorth(rows=200, intact=0.9, removed=removed, shuffled=harmed, noised=harmed)


def red_pixels(path):
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    return int((np.abs(pixels - RED) < 2).all(axis=2).sum())


def removed(value):
    return Harmed(value=value, change_low=value - 0.9, change_high=value - 0.9)


def test_a_bar_is_as_long_as_what_is_left(tmp_path):
    for name, value in (("none", 0.0), ("half", 0.4), ("whole", 0.8)):
        given = {"image": worth(removed(value)), "text": worth(removed(value))}
        modality_bars(tmp_path / name, worth=given, metric="accuracy", title="t")
    none, half, whole = (red_pixels(tmp_path / name) for name in ("none", "half", "whole"))
    assert none > 0, "red is explained"
    assert abs((whole - none) / (half - none) - 2.0) < 0.05


def test_a_modality_that_cannot_be_missed_has_no_bar_for_it(tmp_path):
    both, first = {"a": worth(removed(0.4)), "b": worth(removed(0.4))}, {"a": worth(removed(0.4)), "b": worth(None)}
    modality_bars(tmp_path / "both", worth=both, metric="m", title="t")
    modality_bars(tmp_path / "first", worth=first, metric="m", title="t")
    assert red_pixels(tmp_path / "first") < 0.7 * red_pixels(tmp_path / "both")


def test_the_same_figures_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        modality_bars(tmp_path / name, worth={"a": worth(None), "b": worth(None)}, metric="m", title="t")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
