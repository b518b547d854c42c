"""Items with vectors in two fields, columns and words, over several parts: each as if there were one part."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from polyloom.errors import DataError, RequestError
from retrieval.exact import ExactGeneration
from retrieval.items import Field, Items
from retrieval.live import Writer, create_index, open_index
from retrieval.segment import Segment
from retrieval.state import read_state

FIELDS = {"text": Field("t" * 64, 6), "image": Field("i" * 64, 4)}
ENCODERS = {name: field.encoder_digest for name, field in FIELDS.items()}
WORDS = ["red hat", "blue hat", "green lamp", "red red chair", "绿色的台灯", "一顶红帽子", "", "old chair with a hat"]


def some(count, *, begin=0, words=WORDS):
    """Items of two fields; every third has no picture."""
    random = np.random.default_rng(begin)
    pictured = np.arange(begin, begin + count) % 3 != 0
    image = random.standard_normal((count, 4)).astype(np.float32)
    image[~pictured] = 0
    numbers = range(begin, begin + count)
    return Items(
        ids=[f"item-{number}" for number in numbers],
        vectors={"text": random.standard_normal((count, 6)).astype(np.float32), "image": image},
        present={"image": pictured},
        rows=pa.table({"price": [float(number) for number in numbers], "name": [f"n{number}" for number in numbers]}),
        texts=[words[number % len(words)] for number in numbers],
    )


@pytest.fixture
def writer(tmp_path):
    create_index(tmp_path / "index", fields=FIELDS, keyword=True)
    return Writer(tmp_path / "index", encoders=ENCODERS)


@pytest.fixture
def parts(writer):
    """An index of three parts, from each of which something is gone."""
    for begin in (0, 20, 40):
        writer.upsert(some(20, begin=begin))
    writer.delete(["item-3", "item-25", "item-26", "item-59", "nobody"])
    assert len(read_state(writer.folder).parts) == 3
    return writer


def opened(writer):
    return open_index(writer.folder, encoders=ENCODERS)


def left():
    """What is left of the items, as one lot."""
    whole = some(60)
    several = [some(20, begin=begin) for begin in (0, 20, 40)]
    vectors = {name: np.concatenate([one.vectors[name] for one in several]) for name in FIELDS}
    kept = [place for place, id_ in enumerate(whole.ids) if id_ not in {"item-3", "item-25", "item-26", "item-59"}]
    return replace(
        whole,
        ids=[whole.ids[place] for place in kept],
        vectors={name: given[kept] for name, given in vectors.items()},
        present={"image": whole.present["image"][kept]},
        rows=whole.rows.take(kept),
        texts=[whole.texts[place] for place in kept],
    )


@pytest.mark.parametrize("compacted", [False, True])
def test_each_field_answers_as_numpy_does_over_the_items_that_have_a_vector(parts, compacted):
    if compacted:
        parts.compact()
    snapshot, items = opened(parts), left()
    assert list(snapshot.ids) == list(items.ids)
    for name, field in FIELDS.items():
        there = items.present.get(name, np.ones(len(items), bool))
        oracle = ExactGeneration(
            ids=[id_ for id_, known in zip(items.ids, there, strict=True) if known],
            vectors=items.vectors[name][there],
            encoder_digest="o",
        )
        queries = np.random.default_rng(9).standard_normal((7, field.dim))
        allowed = np.arange(len(items)) % 4 != 1
        for mask, own in ((None, None), (allowed, allowed[there])):
            assert snapshot.field(name).search(queries, 9, allowed=mask) == oracle.search(queries, 9, allowed=own)
        found = snapshot.field(name).vectors(items.ids)
        assert list(found) == [id_ for id_, known in zip(items.ids, there, strict=True) if known]
        np.testing.assert_allclose(found["item-10"], oracle.vector("item-10"), atol=1e-6)


def test_words_over_parts_are_found_as_over_one(parts):
    asked = ["red hat", "chairs", "红帽子", "lamp 台灯", "unknown"]
    several = [opened(parts).keywords.search(query, 50) for query in asked]
    parts.rebuild()
    whole = [opened(parts).keywords.search(query, 50) for query in asked]
    for some_hits, all_hits in zip(several, whole, strict=True):
        assert {id_ for id_, _ in some_hits} == {id_ for id_, _ in all_hits}
        # Before the rebuilding rarity is over what is gone too, and lengths are held against a part's own mean.
        np.testing.assert_allclose([score for _, score in some_hits], [score for _, score in all_hits], rtol=0.12)
    assert len(whole[0]) == 28


def test_rarity_is_that_among_all_texts(writer):
    writer.upsert(replace(some(3), texts=["zebra zebra", "plain words", "plain words"]))
    writer.upsert(replace(some(3, begin=3), texts=["zebra common", "zebra common", "zebra common"]))
    apart = dict(opened(writer).keywords.search("zebra", 9))
    told = opened(writer).keywords.explain("zebra", "item-3")
    assert told == {"zebra": pytest.approx(apart["item-3"], rel=1e-6)}
    writer.rebuild()
    together = dict(opened(writer).keywords.search("zebra", 9))
    assert apart == pytest.approx(together, rel=1e-5)


def test_words_are_searched_among_what_is_allowed_and_still_there(parts):
    snapshot = opened(parts)
    allowed = snapshot.marked(lambda table: np.asarray(pc.less(table["price"], 10.0)))
    assert allowed.sum() == 9
    assert {id_ for id_, _ in snapshot.keywords.search("red hat", 50, allowed=allowed)} == {
        "item-0",
        "item-1",
        "item-7",
        "item-8",
        "item-9",
    }
    assert "item-59" not in {id_ for id_, _ in snapshot.keywords.search("red chair", 50)}
    assert snapshot.keywords.explain("red chair", "item-59") == {}


def test_columns_are_those_of_the_items_that_are_there(parts):
    snapshot, items = opened(parts), left()
    assert snapshot.table() == items.rows
    assert snapshot.table(["price"]).column_names == ["price"]
    assert snapshot.row("item-21") == {"price": 21.0, "name": "n21"}
    assert snapshot.rows(["item-44", "item-3", "x"], ["name"]) == {"item-44": {"name": "n44"}}
    assert snapshot.held(["item-44", "item-3", "x"]) == {"item-44"}
    with pytest.raises(RequestError, match="No item has the id 'item-3'"):
        snapshot.row("item-3")


def test_an_item_without_a_vector_says_so(parts):
    field = opened(parts).field("image")
    with pytest.raises(RequestError, match="'item-6' has no vector here"):
        field.vector("item-6")
    with pytest.raises(RequestError, match="No item has the id 'item-3'"):
        field.vector("item-3")


def test_all_of_an_item_is_replaced_at_once(parts):
    new = replace(some(1), texts=["zebra"], rows=pa.table({"price": [0.5], "name": ["new"]}))
    number = parts.upsert(new, removed=["item-1"], note={"snapshot": "abc"})
    snapshot = opened(parts)
    assert snapshot.number == number
    assert snapshot.note == {"snapshot": "abc"}
    assert snapshot.row("item-0") == {"price": 0.5, "name": "new"}
    assert snapshot.keywords.search("zebra", 3)[0][0] == "item-0"
    assert "item-1" not in snapshot.ids
    assert "item-0" not in {id_ for id_, _ in snapshot.keywords.search("red hat", 99)}


def test_a_snapshot_answers_when_its_files_are_gone(parts):
    snapshot, items = opened(parts), left()
    parts.rebuild()
    parts.delete(list(items.ids))
    assert not list((parts.folder / "segments").iterdir())
    assert snapshot.table() == items.rows
    assert len(snapshot.keywords.search("red hat", 99)) == 28
    assert len(snapshot.field("text").search(np.ones((1, 6)), 99).ids[0]) == 56


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"vectors": {"text": np.ones((2, 6))}}, r"have vectors of \['text'\], the index holds \['image', 'text'\]"),
        ({"texts": None}, "searched by words: give each item's text"),
        ({"texts": ["one"]}, "1 texts for 2 items"),
        ({"rows": None}, r"has the columns \['price', 'name'\], the items \[\]"),
        ({"rows": pa.table({"price": [1.0, 2.0]})}, r"the items \['price'\]"),
        ({"rows": pa.table({"name": ["a", "b"], "price": ["dear", "cheap"]})}, "do not have the index's types"),
        ({"present": {"image": np.array([1, 0])}}, r"must be bool \[2\]"),
        ({"present": {}}, "'item-0' is all zeros"),
    ],
)
def test_items_that_do_not_fit_change_nothing(parts, changed, message):
    number = opened(parts).number
    with pytest.raises(DataError, match=message):
        parts.upsert(replace(some(2), **changed))
    assert opened(parts).number == number


def test_columns_in_another_order_and_of_a_narrower_type_fit(parts):
    parts.upsert(replace(some(2), rows=pa.table({"name": ["a", "b"], "price": [1, 2]})))
    assert opened(parts).row("item-1") == {"price": 2.0, "name": "b"}


def test_a_segment_is_opened_whole(parts, monkeypatch):
    opened_keywords = [part.segment.keywords for part in opened(parts)._parts]
    assert all(index is not None for index in opened_keywords)
    assert isinstance(opened(parts)._parts[0].segment, Segment)


def test_an_index_that_finds_nothing_is_refused(tmp_path):
    with pytest.raises(RequestError, match="finds nothing"):
        create_index(tmp_path, fields={})
    with pytest.raises(RequestError, match="a name is of letters"):
        create_index(tmp_path, fields={"a/b": Field("e", 3)})


def test_an_index_of_words_alone(tmp_path):
    create_index(tmp_path, fields={}, keyword=True)
    writer = Writer(tmp_path, encoders={})
    writer.upsert(Items(ids=["a", "b"], vectors={}, texts=["red hat", "蓝帽子"]))
    assert open_index(tmp_path, encoders={}).keywords.search("帽子", 3)[0][0] == "b"
