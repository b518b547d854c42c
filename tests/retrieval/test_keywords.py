"""The keyword index: BM25 by hand, ties, filters, Chinese, damage, the same bytes for the same texts."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from polyloom.errors import IntegrityError, RequestError
from retrieval.keywords import LENGTHS, STEEPNESS, build_keywords, open_keywords

TEXTS = ["lost my card", "a card and a card", "the loan", "退款什么时候到账", "我要退货", ""]


@pytest.fixture
def index(tmp_path):
    build_keywords(tmp_path / "keywords", TEXTS)
    return open_keywords(tmp_path / "keywords")


def by_hand(times, length, holders):
    """What one term adds: Robertson et al. (1994), with Lucene's idf."""
    lengths = [2, 2, 1, 15, 7, 0]
    rarity = math.log(1 + (len(TEXTS) - holders + 0.5) / (holders + 0.5))
    return rarity * times / (times + STEEPNESS * (1 - LENGTHS + LENGTHS * length / (sum(lengths) / len(lengths))))


def test_scores_are_those_that_can_be_computed_by_hand(index):
    found = index.search("card", 5)
    assert found.places.tolist() == [1, 0]
    np.testing.assert_allclose(found.scores, [by_hand(2, 2, 2), by_hand(1, 2, 2)], rtol=1e-5)


def test_a_score_is_explained_term_by_term(index):
    found = index.search("lost cards, unknown things", 1)
    told = index.explain("lost cards, unknown things", 0)
    assert list(told) == ["lost", "card"]
    assert sum(told.values()) == pytest.approx(float(found.scores[0]), rel=1e-6)


@pytest.mark.parametrize(("query", "place"), [("退款", 3), ("到账时间", 3), ("退货", 4), ("货", 4)])
def test_chinese_words_of_two_characters_and_of_one_find_what_holds_them(index, query, place):
    assert index.search(query, 1).places.tolist() == [place]


def test_only_what_holds_a_term_is_found_and_of_it_what_is_allowed(index):
    assert index.search("card", 99).places.tolist() == [1, 0]
    assert index.search("card", 99, allowed=np.array([True, False, True, True, True, True])).places.tolist() == [0]
    assert index.search("nothing here", 3).places.tolist() == []


def test_equal_scores_stand_in_order_and_k_cuts_them_there(tmp_path):
    build_keywords(tmp_path / "k", ["red hat"] * 30 + ["red red"])
    assert open_keywords(tmp_path / "k").search("red", 4).places.tolist() == [30, 0, 1, 2]


@pytest.mark.parametrize("query", ["", "  ", "?!", "😀"])
def test_a_query_without_a_word_is_refused(index, query):
    with pytest.raises(RequestError, match="has no word to search for"):
        index.search(query, 3)
    with pytest.raises(RequestError, match="k is 0"):
        index.search("card", 0)


def test_texts_without_a_word_find_nothing(tmp_path):
    build_keywords(tmp_path / "k", ["", "…"])
    found = open_keywords(tmp_path / "k")
    assert len(found) == 2
    assert found.search("card", 3).places.tolist() == []
    assert found.explain("card", 0) == {}


def test_the_same_texts_give_the_same_bytes_in_every_process(tmp_path):
    script = "import sys; from pathlib import Path; from retrieval.keywords import build_keywords\n"
    script += f"print(build_keywords(Path(sys.argv[1]), {TEXTS!r}))"
    digests = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / seed)], cwd=Path(__file__).parents[2], text=True,
            env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True,
        )  # fmt: skip
        digests.add(done.stdout)
    assert len(digests) == 1


@pytest.mark.parametrize("damage", ["flipped", "cut", "missing"])
def test_a_damaged_file_is_named(tmp_path, damage):
    build_keywords(tmp_path / "k", TEXTS)
    for path in sorted((tmp_path / "k").iterdir()):
        content = path.read_bytes()
        harmed = bytearray(content)
        harmed[len(harmed) // 2] ^= 1
        path.unlink()
        if damage != "missing":
            path.write_bytes(bytes(harmed) if damage == "flipped" else content[:-3])
        with pytest.raises(IntegrityError, match=path.name):
            open_keywords(tmp_path / "k")
        path.write_bytes(content)
