"""Vectors and words together: one ranking by cosine and keyword score, by hand."""

import numpy as np
import pyarrow as pa
import pytest

from releases.search import KEYWORD_SHARE, Searcher
from retrieval.exact import ExactGeneration
from retrieval.keywords import build_keywords, open_keywords

TEXTS = {
    "near": "a blue hat",
    "named": "model X200 lamp",
    "both": "blue X200",
    "far": "nothing at all",
    "voiceless": "X200",
}
VECTORS = np.array([[1.0, 0.0], [0.8, 0.6], [0.95, 0.3122499], [-1.0, 0.0]])


def searcher(folder, *, weights=None, keyword=True):
    """Five items, of which the last has no vector."""
    build_keywords(folder / "keywords", list(TEXTS.values()))
    generation = ExactGeneration(ids=list(TEXTS)[:4], vectors=VECTORS, encoder_digest="e")
    return Searcher(
        items=pa.table({"_key": list(TEXTS), "text": list(TEXTS.values())}),
        generations={"text": generation},
        facts={"columns": {"text": "text"}, "weights": weights or {}, "group": None, "image": None, "show": ["text"]},
        keywords=open_keywords(folder / "keywords") if keyword else None,
    )


def found(one, words, *, readable=1.0, worded="text", k=5, where=None):
    return one.search({"text": (np.array([[2.0, 0.0]]), readable)}, k=k, words=words, worded=worded, where=where)


def test_items_are_ranked_by_cosine_and_keyword_score_together(tmp_path):
    one = searcher(tmp_path)
    hits = {hit.id: hit for hit in found(one, "x200")}
    # The shortest text that holds the word has the highest keyword score.
    keyword = one.keywords.search("x200", 5)
    best = dict(
        zip((list(TEXTS)[place] for place in keyword.places), keyword.scores / keyword.scores.max(), strict=True)
    )
    cosines = {"near": 1.0, "named": 0.8, "both": 0.95, "far": -1.0, "voiceless": 0.0}
    scores = {name: cosines[name] + KEYWORD_SHARE * best.get(name, 0.0) for name in TEXTS}
    assert list(hits) == sorted(TEXTS, key=lambda name: -scores[name]) == ["both", "named", "near", "voiceless", "far"]
    assert hits["both"].ranks == {"text": 2, "keyword": 2}
    assert hits["voiceless"].ranks == {"keyword": 1}
    assert hits["voiceless"].cosines == {}
    assert hits["near"].terms == {}


def test_an_item_that_only_words_find_has_its_cosine_too(tmp_path, monkeypatch):
    monkeypatch.setattr("releases.search.CANDIDATES", 1)
    hits = {hit.id: hit for hit in found(searcher(tmp_path), "lamp", k=1)}
    assert list(hits) == ["named"]
    assert hits["named"].cosines == {"text": 0.8}
    assert hits["named"].ranks["keyword"] == 1


@pytest.mark.parametrize(("weights", "first"), [({"keyword": 0.1}, "near"), ({"keyword": 30.0}, "voiceless")])
def test_weights_say_how_much_words_count(tmp_path, weights, first):
    assert found(searcher(tmp_path, weights=weights), "x200")[0].id == first


def test_words_decide_where_the_encoder_can_hardly_read(tmp_path):
    assert found(searcher(tmp_path), "x200", readable=0.01)[0].id == "voiceless"


def test_without_a_text_of_its_own_the_words_are_a_ranking_beside_the_others(tmp_path):
    hits = found(searcher(tmp_path), "x200", worded=None)
    assert hits[0].id == "both"
    assert hits[0].score == pytest.approx(1 / 62 + 1 / 62)


def test_a_filter_holds_for_both(tmp_path):
    assert [hit.id for hit in found(searcher(tmp_path), "x200", where="text = 'X200'")] == ["voiceless"]


def test_without_keywords_words_change_nothing(tmp_path):
    assert [hit.id for hit in found(searcher(tmp_path, keyword=False), "x200")] == ["near", "both", "named", "far"]
