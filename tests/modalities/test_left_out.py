import numpy as np
import pytest

from modalities.left_out import each_cell, in_pieces, picture_without, spread, text_without
from modalities.preparation.word_split import split_words


@pytest.mark.parametrize(
    ("text", "left_out", "rest"),
    [
        ("my card, lost", [1], "my  , lost"),
        ("yes,no", [1], "yes no"),
        ("怎么退货", [1], "怎退货"),
        ("one two", [1, 0], "   "),
        ("one", [], "one"),
    ],
)
def test_words_are_left_out_and_others_stay_apart(text, left_out, rest):
    words = split_words(text)
    assert text_without(text, [words[place] for place in left_out]) == rest


def test_long_texts_go_by_stretches():
    words = split_words(" ".join(map(str, range(10))))
    assert [len(piece) for piece in in_pieces(words, most=4)] == [3, 3, 3, 1]
    assert [len(piece) for piece in in_pieces(words, most=10)] == [1] * 10
    assert in_pieces([], most=4) == []


def test_a_cell_gets_the_pictures_mean_colour():
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:2, :2] = (200, 100, 40)
    changed = picture_without(picture, each_cell(2)[0])
    assert (changed[:2, :2] == (50, 25, 10)).all()
    assert not changed[2:].any()
    assert picture[0, 0].tolist() == [200, 100, 40]


@pytest.mark.parametrize(("size", "count"), [(7, 3), (32, 7), (224, 14)])
def test_cells_cover_every_pixel_once(size, count):
    covered = np.sum([spread(mask, size) for mask in each_cell(count)], axis=0)
    assert (covered == 1).all()
