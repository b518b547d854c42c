"""Typos and moved words: seeded, in English and Chinese, as many as were asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modalities.preparation.word_split import split_words
from modalities.slips import misspelt, with_swapped_words, with_typos, without_words

ENGLISH = "My card was lost yesterday, could you please send another one?"
CHINESE = "我的银行卡昨天丢了，可以再寄一张吗"


def random(seed=0):
    return np.random.default_rng(seed)


def test_a_slip_swaps_drops_or_inserts_one_letter_behind_the_first():
    made = {misspelt("card", random=random(seed)) for seed in range(60)}
    assert {len(word) for word in made} == {3, 4, 5}
    assert all(word.startswith("c") for word in made)
    assert {"crad", "cadr", "crd", "cad", "car"} <= made
    assert all(sorted(word) == sorted("card") for word in made if len(word) == 4)


def test_all_words_or_none_have_typos():
    assert with_typos(ENGLISH, share=0.0, random=random()) == ENGLISH
    every = with_typos("lost cards arriving", share=1.0, random=random(1))
    pairs = list(zip(every.split(" "), ["lost", "cards", "arriving"], strict=True))
    assert sum(one != other for one, other in pairs) >= 2


def test_the_share_of_words_is_kept():
    text = " ".join(["abcdefgh"] * 2000)
    changed = with_typos(text, share=0.2, random=random()).split(" ")
    assert 0.17 < np.mean([word != "abcdefgh" for word in changed]) < 0.23


def test_chinese_characters_are_swapped_or_dropped():
    made = [with_typos(CHINESE, share=0.2, random=random(seed)) for seed in range(20)]
    assert any(len(text) < len(CHINESE) for text in made)
    assert any(text != CHINESE and sorted(text) == sorted(CHINESE) for text in made)
    assert all(set(text) <= set(CHINESE) for text in made)


@pytest.mark.parametrize("change", [with_typos, without_words, with_swapped_words])
@given(text=st.text(max_size=60), seed=st.integers(0, 9))
def test_the_same_seed_gives_the_same_text(change, text, seed):
    assert change(text, share=0.3, random=random(seed)) == change(text, share=0.3, random=random(seed))


def test_deletion_leaves_words_in_their_order_and_one_at_least():
    kept = [word.text for word in split_words(without_words(ENGLISH, share=0.4, random=random()))]
    words = iter(word.text for word in split_words(ENGLISH))
    assert 0 < len(kept) < 13
    assert all(word in words for word in kept)
    assert without_words("lost card", share=1.0, random=random()) in {"lost", "card"}
    assert without_words("card", share=1.0, random=random()) == "card"


def test_a_swap_moves_words_and_keeps_them_all():
    swapped = with_swapped_words("a b c d e", share=0.1, random=random())
    assert swapped != "a b c d e"
    assert sorted(swapped.split(" ")) == ["a", "b", "c", "d", "e"]
    assert sum(one != other for one, other in zip(swapped, "a b c d e", strict=True)) == 2
    assert sorted(with_swapped_words(CHINESE, share=0.1, random=random())) == sorted(CHINESE)
