"""What was found, in the text and in the picture."""

import io

import numpy as np
from PIL import Image

from heads.answers import Part
from tests.support.tiny_models import png
from ui.found import boxed_picture, by_label, marked_text, without_overlaps


def test_stretches_are_marked_where_they_stand():
    text = "Tom & Li live in 北京."
    parts = [Part("PLACE", 0.8, start=17, end=19), Part("PERSON", 0.95, start=6, end=8)]
    html = marked_text(text, parts)
    assert "Tom &amp; <mark" in html
    assert ">Li<span>PERSON 95%</span></mark> live in <mark" in html
    assert ">北京<span>PLACE 80%</span></mark>." in html


def test_nothing_found_leaves_the_text():
    assert marked_text("a < b", []) == '<p class="pl-body">a &lt; b</p>'


def test_of_overlapping_stretches_the_surest_stands_and_those_outside_are_left_out():
    sure, unsure = Part("A", 0.9, start=2, end=6), Part("B", 0.5, start=5, end=8)
    outside, empty = Part("C", 1.0, start=8, end=99), Part("D", 1.0, start=3, end=3)
    assert without_overlaps([unsure, outside, sure, empty], 10) == [sure]


def opened(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def test_boxes_are_drawn_where_they_are():
    white = png(np.full((100, 200, 3), 255, np.uint8))
    pixels = opened(boxed_picture(white, [Part("car", 0.9, box=(50.0, 40.0, 150.0, 80.0))]))
    assert pixels.shape == (100, 200, 3)
    assert (pixels[60, 50] != 255).any()
    assert (pixels[80, 100] != 255).any()
    assert (pixels[60, 100] == 255).all()
    assert (pixels[95, 190] == 255).all()


def test_a_large_picture_is_shown_smaller_with_its_boxes_in_place():
    white = png(np.full((300, 2400, 3), 255, np.uint8))
    pixels = opened(boxed_picture(white, [Part("车", 0.5, box=(1200.0, 100.0, 2000.0, 280.0))]))
    assert pixels.shape == (150, 1200, 3)
    assert (pixels[100, 600] != 255).any()
    assert (pixels[100, 800] == 255).all()


def test_a_label_has_one_colour():
    parts = [Part("b", 0.1), Part("a", 0.2), Part("b", 0.3)]
    assert by_label(parts, ("x", "y")) == by_label(parts[::-1], ("x", "y")) == {"a": "x", "b": "y"}
