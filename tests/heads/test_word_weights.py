import numpy as np
import pytest

from heads.word_weights import weights_of_words
from modalities.preparation.word_split import split_words


def test_a_words_weight_is_the_sum_of_its_tokens():
    text = "Lost cards, help"
    places = [(0, 0), (0, 4), (5, 9), (9, 10), (10, 11), (12, 16), (0, 0)]
    words = weights_of_words(split_words(text), places=places, weights=np.array([9.0, 1, 2, 3, 0.5, -1, 9]))
    assert [(word.text, word.weight) for word in words] == [("Lost", 1), ("cards", 5), (",", 0.5), ("help", -1)]
    assert [text[word.start : word.end] for word in words] == ["Lost", "cards", ",", "help"]


def test_a_token_of_several_characters_is_shared_by_them():
    words = weights_of_words(split_words("怎么 退货"), places=[(0, 2), (2, 5)], weights=np.array([1.0, -3.0]))
    assert [word.weight for word in words] == pytest.approx([0.5, 0.5, -1.5, -1.5])


def test_words_beyond_the_last_token_count_nothing():
    words = weights_of_words(split_words("one two"), places=[(0, 3)], weights=np.array([2.0]))
    assert [word.weight for word in words] == [2.0, 0.0]
