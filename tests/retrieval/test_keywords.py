"""Search by words: BM25 by hand, ties, filters, Chinese, the same bytes for the same texts."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from polyloom.errors import RequestError
from retrieval.keyword_search import KeywordSearch, WordedPart
from retrieval.keywords import LENGTHS, STEEPNESS, open_keywords, write_keywords

TEXTS = ["lost my card", "a card and a card", "the loan", "退款什么时候到账", "我要退货", ""]


@pytest.fixture
def index(tmp_path):
    return search_over(tmp_path / "keywords", TEXTS)


def search_over(folder, texts):
    """Search over one part, whose ids are the places."""
    write_keywords(folder, texts)
    part = WordedPart(index=open_keywords(folder), id_at=str, place_of=int, alive=None)
    return KeywordSearch([part], split=lambda allowed: [allowed])


def places(found):
    """The places of what was found."""
    return [int(id_) for id_, _ in found]


def by_hand(times, length, holders):
    """What one term adds: Robertson et al. (1994), with Lucene's idf."""
    lengths = [2, 2, 1, 15, 7, 0]
    rarity = math.log(1 + (len(TEXTS) - holders + 0.5) / (holders + 0.5))
    return rarity * times / (times + STEEPNESS * (1 - LENGTHS + LENGTHS * length / (sum(lengths) / len(lengths))))


def test_scores_are_those_that_can_be_computed_by_hand(index):
    found = index.search("card", 5)
    assert places(found) == [1, 0]
    np.testing.assert_allclose([score for _, score in found], [by_hand(2, 2, 2), by_hand(1, 2, 2)], rtol=1e-5)


def test_a_score_is_explained_term_by_term(index):
    found = index.search("lost cards, unknown things", 1)
    told = index.explain("lost cards, unknown things", "0")
    assert list(told) == ["lost", "card"]
    assert sum(told.values()) == pytest.approx(found[0][1], rel=1e-6)


@pytest.mark.parametrize(("query", "place"), [("退款", 3), ("到账时间", 3), ("退货", 4), ("货", 4)])
def test_chinese_words_of_two_characters_and_of_one_find_what_holds_them(index, query, place):
    assert places(index.search(query, 1)) == [place]


def test_only_what_holds_a_term_is_found_and_of_it_what_is_allowed(index):
    assert places(index.search("card", 99)) == [1, 0]
    assert places(index.search("card", 99, allowed=np.array([True, False, True, True, True, True]))) == [0]
    assert places(index.search("nothing here", 3)) == []


def test_equal_scores_stand_in_order_and_k_cuts_them_there(tmp_path):
    assert places(search_over(tmp_path / "k", ["red hat"] * 30 + ["red red"]).search("red", 4)) == [30, 0, 1, 2]


@pytest.mark.parametrize("query", ["", "  ", "?!", "😀"])
def test_a_query_without_a_word_is_refused(index, query):
    with pytest.raises(RequestError, match="has no word to search for"):
        index.search(query, 3)
    with pytest.raises(RequestError, match="k is 0"):
        index.search("card", 0)


def test_texts_without_a_word_find_nothing(tmp_path):
    found = search_over(tmp_path / "k", ["", "…"])
    assert found.search("card", 3) == []
    assert found.explain("card", "0") == {}


def test_the_same_texts_give_the_same_bytes_in_every_process(tmp_path):
    script = "import sys; from pathlib import Path; from retrieval.keywords import write_keywords\n"
    script += f"write_keywords(Path(sys.argv[1]), {TEXTS!r})"
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / seed)],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
        )
    one, other = ({path.name: path.read_bytes() for path in (tmp_path / seed).iterdir()} for seed in ("1", "2"))
    assert one == other
