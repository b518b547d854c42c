"""Vectors and words together: one ranking by cosine and keyword score, by hand."""

import numpy as np
import pyarrow as pa
import pytest

from polyloom.errors import RequestError
from releases.found import Wishes
from releases.search import Asked, Searcher
from retrieval.items import Field, Items
from retrieval.joining import USUAL_SHARE
from retrieval.live import open_index, publish_index

TEXTS = {
    "near": "a blue hat",
    "named": "model X200 lamp",
    "both": "blue X200",
    "far": "nothing at all",
    "voiceless": "X200",
}
VECTORS = np.array([[1.0, 0.0], [0.8, 0.6], [0.95, 0.3122499], [-1.0, 0.0]])


def searcher(folder, *, weights=None, keyword=True, more=None):
    """Five items, of which the last has no vector."""
    folder = folder / f"index-{len(list(folder.iterdir()))}"
    items = Items(
        ids=list(TEXTS),
        vectors={"text": np.vstack([VECTORS, np.zeros((1, 2))])},
        present={"text": np.array([True] * 4 + [False])},
        rows=pa.table(
            {"_key": list(TEXTS), "text": list(TEXTS.values()), "kind": ["hat", "lamp", "hat", None, "lamp"]}
        ),
        texts=list(TEXTS.values()) if keyword else None,
    )
    publish_index(folder, items, fields={"text": Field("e", 2)}, keyword=keyword)
    facts = {
        "columns": {"text": "text", "kind": "category"},
        "weights": weights or {},
        "group": None,
        "image": None,
        "show": ["text"],
    }
    return Searcher(open_index(folder, encoders={"text": "e"}), facts={**facts, **(more or {})})


def found(one, words, *, readable=1.0, worded="text", **wishes):
    asked = Asked({"text": (np.array([[2.0, 0.0]]), readable)}, words=words, worded=worded)
    return one.find(asked, Wishes(**{"k": 5, **wishes})).hits


def test_items_are_ranked_by_cosine_and_keyword_score_together(tmp_path):
    one = searcher(tmp_path)
    hits = {hit.id: hit for hit in found(one, "x200")}
    # The shortest text that holds the word has the highest keyword score.
    keyword = dict(one.snapshot.keywords.search("x200", 5))
    best = {item: score / max(keyword.values()) for item, score in keyword.items()}
    cosines = {"near": 1.0, "named": 0.8, "both": 0.95, "far": -1.0, "voiceless": 0.0}
    scores = {name: cosines[name] + USUAL_SHARE * best.get(name, 0.0) for name in TEXTS}
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


def test_an_asked_weight_counts_beside_the_scenarios_own_and_0_leaves_a_ranking_out(tmp_path):
    one = searcher(tmp_path)
    assert found(one, "x200", weights={"keyword": 30.0})[0].id == "voiceless"
    assert {name for hit in found(one, "x200", weights={"keyword": 0}) for name in hit.ranks} == {"text"}
    assert {name for hit in found(one, "x200", weights={"text": 0}) for name in hit.ranks} == {"keyword"}
    with pytest.raises(RequestError, match=r"no ranking 'keywords' to weigh\. Did you mean 'keyword'\?"):
        found(one, "x200", weights={"keywords": 1.0})
    with pytest.raises(RequestError, match="weights are finite and 0 or more"):
        found(one, "x200", weights={"text": -1.0})
    with pytest.raises(RequestError, match="Nothing in the question can be searched"):
        found(one, "x200", weights={"text": 0, "keyword": 0})


def test_pages_go_on_where_the_one_before_ended(tmp_path):
    one = searcher(tmp_path)
    whole = [hit.id for hit in found(one, "x200")]
    pages = [[hit.id for hit in found(one, "x200", k=2, page=page)] for page in (1, 2, 3, 4)]
    assert pages == [whole[:2], whole[2:4], whole[4:], []]
    with pytest.raises(RequestError, match="pages are counted from 1"):
        found(one, "x200", page=0)


def test_hits_that_are_to_differ(tmp_path):
    one = searcher(tmp_path)
    assert [hit.id for hit in found(one, None)] == ["near", "both", "named", "far"]
    assert [hit.id for hit in found(one, None, diversity=0.7, k=2)] == ["near", "far"]


def test_values_are_counted_among_what_was_found(tmp_path):
    one = searcher(tmp_path)
    asked = Asked({"text": (np.array([[2.0, 0.0]]), 1.0)}, words="x200", worded="text")
    assert one.find(asked, Wishes(k=1, facets=["kind"])).facets == {"kind": [("hat", 2), ("lamp", 2)]}
    nothing = one.find(asked, Wishes(k=1, facets=["kind"], where="kind = 'chair'"))
    assert (nothing.hits, nothing.facets) == ([], {"kind": []})
    with pytest.raises(RequestError, match="no column 'kinds'"):
        one.find(asked, Wishes(facets=["kinds"]))


def test_words_are_highlighted_in_what_is_shown(tmp_path):
    (hit,) = found(searcher(tmp_path), "lamps", k=1, weights={"text": 0})
    assert hit.highlights == {"text": [(11, 15)]}
