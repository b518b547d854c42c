"""Texts of several languages as words, by hand; and what must hold of any text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from modalities.preparation.word_split import placed_words, split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("U.N. official Ekeus heads for Baghdad.", "U.N.|official|Ekeus|heads|for|Baghdad|."),
        ("Reuters's John O'Brien said they'll pay", "Reuters|'s|John|O'Brien|said|they|'ll|pay"),
        ("don't 'quote' it", "don't|'|quote|'|it"),
        ("It’s the Queen’s", "It|’s|the|Queen|’s"),
        ("1996-08-22, 5,999 at 12:30, 3.5% of 1/2", "1996-08-22|,|5,999|at|12:30|,|3.5|%|of|1/2"),
        ("AT&T/IBM (mid-week)", "AT&T|/|IBM|(|mid-week|)"),
        ("Paris,London", "Paris|,|London"),
        ("the end...", "the|end|.|.|."),
        ("我在Apple公司买了iPhone 15，花了5,999元。", "我|在|Apple|公|司|买|了|iPhone|15|，|花|了|5,999|元|。"),
        ("東京タワーへ", "東|京|タ|ワ|ー|へ"),
        ("안녕 세계", "안녕|세계"),
        ("Москва—Рим", "Москва|—|Рим"),
        ("a  b\n\tc", "a|b|c"),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_words(text, words):
    assert [word.text for word in split_words(text)] == [word for word in words.split("|") if word]


@given(some.text(alphabet=some.sampled_from("aB9.,'’-&/ \n中タé:@$\u200b"), max_size=40))
def test_nothing_but_white_space_is_lost_and_every_place_is_right(text):
    words = split_words(text)
    assert all(text[word.start : word.end] == word.text for word in words)
    assert "".join(word.text for word in words) == "".join(text.split())
    assert [word.start for word in words] == sorted(word.start for word in words)


def test_given_words_stand_between_single_spaces():
    words = ["New", "York", "is", "北京"]
    for given_words in (words, tuple(words), np.array(words, dtype=object)):
        text, placed = placed_words(given_words)
        assert text == "New York is 北京"
        assert [text[word.start : word.end] for word in placed] == words


def test_a_text_keeps_its_own_blanks():
    text, placed = placed_words("New  York")
    assert text == "New  York"
    assert [(word.start, word.end) for word in placed] == [(0, 3), (5, 9)]
