"""Personal data in lists of words and around places, found by hand."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.personal import Personal, find
from releases.serving.masked_words import mask_words, moved

PIECES = ["call", "138", "0013", "8000", "13800138000", "me", "+49", "30", "901820", "a@b.org", "@", "order", "手机"]


@pytest.mark.parametrize(
    ("words", "masked"),
    [
        (["call", "13800138000"], ["call", "[phone]"]),
        (["call", "138", "0013", "8000", "now"], ["call", "[phone]", "[phone]", "[phone]", "now"]),
        (["mail", "<a@b.org>,", "ok"], ["mail", "<[mail]>,", "ok"]),
        ([], []),
        (["nothing", "here"], ["nothing", "here"]),
    ],
)
def test_each_word_keeps_its_place(words, masked):
    assert mask_words(words, Personal(), Counter()) == masked


def test_pieces_are_counted_not_words():
    counts = Counter()
    mask_words(["call", "138", "0013", "8000", "or", "a@b.org"], Personal(), counts)
    assert counts == {"phone": 1, "mail": 1}


def test_kinds_that_are_not_named_stay():
    assert mask_words(["a@b.org", "13800138000"], Personal(mask=["mail"]), Counter()) == ["[mail]", "13800138000"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=8))
def test_masked_words_hold_nothing_more(words):
    masked = mask_words(words, Personal(), Counter())
    assert len(masked) == len(words)
    assert find(" ".join(masked)) == []
    assert mask_words(masked, Personal(), Counter()) == masked


@pytest.mark.parametrize(
    ("word", "is_end"), [("lamp", False), ("lamp", True), ("ring", False), ("ring", True), ("or", False)]
)
def test_a_place_keeps_its_word(word, is_end):
    text = "ring 13800138000 or 13900139000 for the lamp"
    masked = Personal().mask_text(text)
    begin, end = text.index(word), text.index(word) + len(word)
    found = moved(text, end if is_end else begin, Personal(), is_end=is_end)
    assert found == masked.index(word) + is_end * len(word)


def test_a_place_within_what_is_masked_is_at_its_mask():
    text = "ring 13800138000 now"
    begin, end = moved(text, 7, Personal(), is_end=False), moved(text, 10, Personal(), is_end=True)
    assert Personal().mask_text(text)[begin:end] == "[phone]"
