"""Near duplicates among texts: against the exact answer, on random texts, and at scale."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.examination.near_texts import LIKENESS, near_texts
from ingestion.examination.shingles import jaccard, shingles
from tests.ingestion.examination.toys import chinese, sentences


def exact_pairs(texts: list[str]) -> set[tuple[int, int]]:
    sets = [shingles(text) for text in texts]
    return {
        pair
        for pair in itertools.combinations(range(len(texts)), 2)
        if jaccard(sets[pair[0]], sets[pair[1]]) >= LIKENESS
    }


def test_shingles_by_hand() -> None:
    assert shingles("Hello, World") == {"hello", "ello ", "llo w", "lo wo", "o wor", " worl", "world"}
    assert shingles("银行卡") == {"银行", "行卡", "银行卡"}
    assert shingles("ＡＢＣ！") == {"abc"}
    assert shingles("我的card") == {"我的", "card"}
    assert shingles("?!") == frozenset()


def test_the_index_by_hand() -> None:
    assert jaccard(frozenset("abc"), frozenset("bcd")) == 0.5
    assert jaccard(frozenset(), frozenset()) == 1.0


@pytest.mark.parametrize("make", [sentences, chinese])
def test_a_changed_word_is_found_and_nothing_else(make) -> None:
    texts = make(300)
    copies = [f"{text[:-2]}" for text in texts[:40]]
    found = {tuple(pair) for pair in near_texts([*texts, *copies]).positions.tolist()}
    assert found == exact_pairs([*texts, *copies]) == {(row, 300 + row) for row in range(40)}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="ab 银行", max_size=14), max_size=25))
def test_no_false_pair_is_ever_reported(texts: list[str]) -> None:
    pairs = near_texts(texts)
    for (first, second), likeness in zip(pairs.positions.tolist(), pairs.likeness, strict=True):
        assert first < second
        assert jaccard(shingles(texts[first]), shingles(texts[second])) == likeness >= LIKENESS


def test_most_pairs_of_a_hard_set_are_found() -> None:
    draw = np.random.default_rng(3)
    texts = []
    for base in sentences(60, words=12):
        for _ in range(5):
            words = base.split()
            words[draw.integers(len(words))] = "other"
            texts.append(" ".join(words))
    wanted = exact_pairs(texts)
    found = {tuple(pair) for pair in near_texts(texts).positions.tolist()}
    assert found <= wanted
    assert len(found) >= 0.99 * len(wanted)


def test_texts_of_one_template_take_bounded_work() -> None:
    texts = [f"your order number {number} is on its way to you and will be there soon" for number in range(4_000)]
    # Without the bound these are 8 million pairs, which run into the time limit of the suite.
    pairs = near_texts(texts)
    assert len(np.unique(pairs.positions)) == 4_000


@pytest.mark.parametrize("texts", [[], ["one"], ["", ""], ["same", "same"]])
def test_few_texts(texts: list[str]) -> None:
    assert near_texts(texts).positions.shape[1] == 2
