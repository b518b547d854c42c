"""What every vector index must keep, whichever way it searches: FAISS on disk, and the exact judge in numpy."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyloom.errors import DataError, RequestError
from retrieval.exact import ExactGeneration
from retrieval.items import Field, Items
from retrieval.live import Writer, create_index, open_index, publish_index

DIGEST = "a" * 64


@pytest.fixture(params=["exact", "published", "live"])
def build(request, tmp_path):
    """Builds a generation of the kind under test from ids and vectors."""
    numbers = itertools.count()

    def build_one(ids, vectors):
        if request.param == "exact":
            return ExactGeneration(ids=ids, vectors=vectors, encoder_digest=DIGEST)
        folder = tmp_path / str(next(numbers))
        if request.param == "live":
            return build_live(folder, ids, vectors)
        return build_published(folder, ids, vectors)

    return build_one


def build_published(folder, ids, vectors):
    """The items as a release holds them."""
    dim = np.asarray(vectors).shape[-1]
    publish_index(folder, Items(ids=ids, vectors={"v": vectors}), fields={"v": Field(DIGEST, max(1, dim))})
    return open_index(folder, encoders={"v": DIGEST}).field("v")


def build_live(folder, ids, vectors):
    """The same items in an index that changes: put in by threes, with others between that are taken out again."""
    vectors = np.asarray(vectors)
    dim = max(1, vectors.shape[1]) if vectors.ndim == 2 else 1
    create_index(folder, fields={"v": Field(DIGEST, dim)})
    writer = Writer(folder, encoders={"v": DIGEST})
    if len(ids) != len(vectors) or len(set(ids)) != len(ids):
        writer.upsert(Items(ids=ids, vectors={"v": vectors}))
    for begin in range(0, len(ids), 3):
        writer.upsert(Items(ids=list(ids[begin : begin + 3]), vectors={"v": vectors[begin : begin + 3]}))
        writer.upsert(Items(ids=["passing", "by"], vectors={"v": np.ones((2, dim))}))
    writer.delete(["passing", "by"])
    return open_index(folder, encoders={"v": DIGEST}).field("v")


@pytest.fixture
def compass(build):
    """Four directions of different lengths, whose cosines are known."""
    return build(["east", "north", "west", "northeast"], np.array([[2, 0], [0, 0.5], [-1, 0], [3, 3]], np.float32))


def test_nearest_are_those_that_can_be_computed_by_hand(compass):
    found = compass.search(np.array([[5.0, 0.0], [0.0, 0.1]]), 3)
    assert found.ids == [["east", "northeast", "north"], ["north", "northeast", "east"]]
    assert found.scores == [[1.0, 0.707107, 0.0], [1.0, 0.707107, 0.0]]


def test_facts(compass):
    assert list(compass.ids) == ["east", "north", "west", "northeast"]
    assert compass.dim == 2
    assert compass.encoder_digest == DIGEST


def test_k_above_the_count_gives_the_count(compass):
    assert compass.search(np.array([[1.0, 0.0]]), 99).ids == [["east", "northeast", "north", "west"]]


def test_only_allowed_items_are_found(compass):
    allowed = np.array([False, True, True, False])
    assert compass.search(np.array([[1.0, 0.0]]), 3, allowed=allowed).ids == [["north", "west"]]
    assert compass.search(np.array([[1.0, 0.0]]), 3, allowed=np.zeros(4, bool)).ids == [[]]


def test_equal_scores_stand_in_the_order_of_the_ids(build):
    rows = np.tile(np.array([[0.3, 0.7, 0.1]], np.float32), (300, 1))
    rows[150] = [1, 0, 0]
    index = build([f"item {number:03}" for number in range(300)], rows)
    expected = [f"item {number:03}" for number in range(7)]
    assert index.search(rows[:40], 7).ids == [expected] * 40
    assert index.search(rows[:1], 7).ids == [expected]


def test_a_batch_answers_as_single_queries_do(build):
    random = np.random.default_rng(3)
    index = build([str(number) for number in range(400)], random.standard_normal((400, 48)))
    queries = random.standard_normal((60, 48))
    batch = index.search(queries, 9)
    for row, query in enumerate(queries):
        single = index.search(query[None], 9)
        assert single.ids[0] == batch.ids[row]
        np.testing.assert_allclose(single.scores[0], batch.scores[row], atol=1e-6)


def test_an_item_finds_itself_through_its_vector(build):
    index = build(["鞋", "帽"], np.array([[1.0, 2.0], [2.0, -1.0]]))
    np.testing.assert_allclose(index.vector("鞋"), np.array([1, 2]) / np.sqrt(5), rtol=1e-6)
    assert index.search(index.vector("鞋")[None], 1).ids == [["鞋"]]


def test_a_returned_vector_is_a_copy(compass):
    compass.vector("east")[:] = 0
    assert compass.search(np.array([[1.0, 0.0]]), 1).ids == [["east"]]


def test_an_empty_index_answers_nothing(build):
    index = build([], np.zeros((0, 4), np.float32))
    assert index.search(np.ones((2, 4)), 5).ids == [[], []]
    assert index.search(np.ones((2, 4)), 5, allowed=np.zeros(0, bool)).scores == [[], []]
    with pytest.raises(RequestError, match=r"The index holds 0 items\."):
        index.vector("x")


def test_no_queries_have_no_answers(compass):
    assert compass.search(np.zeros((0, 2)), 5).ids == []


@pytest.mark.parametrize("extreme", [1e-30, 1e30])
def test_length_does_not_matter_however_extreme(build, extreme):
    index = build(["a", "b"], np.array([[1, 1], [1, -1]], np.float32) * np.float32(extreme))
    assert index.search(np.array([[1.0, 1.0]]) * extreme, 1).scores == [[1.0]]


@pytest.mark.parametrize(
    ("vectors", "k", "allowed", "message"),
    [
        ([[1.0, np.nan]], 1, None, r"query 0 holds NaN or an infinite value"),
        ([[1.0, 1.0], [np.inf, 0.0]], 1, None, r"query 1 holds NaN or an infinite value \(1 of 2 do\)"),
        ([[0.0, 0.0]], 1, None, r"query 0 is all zeros"),
        ([[1.0, 2.0, 3.0]], 1, None, r"The query has 3 dimensions, the index 2\. Encode it"),
        ([1.0, 2.0], 1, None, r"must be real numbers \[rows, dim\]; got float64 \[2\]"),
        ([["a", "b"]], 1, None, r"must be real numbers"),
        ([[1.0, 2.0]], 0, None, r"k is 0; ask for at least 1"),
        ([[1.0, 2.0]], 1, [True], r"mask of allowed items is bool \[1\]; it must be bool \[4\]"),
        ([[1.0, 2.0]], 1, [1, 0, 1, 0], r"mask of allowed items is int64 \[4\]"),
    ],
)
def test_a_wrong_request_is_refused(compass, vectors, k, allowed, message):
    with pytest.raises(RequestError, match=message):
        compass.search(np.array(vectors), k, allowed=None if allowed is None else np.array(allowed))


@pytest.mark.parametrize(
    ("ids", "vectors", "message"),
    [
        (["a", "b"], [[1.0, 0.0], [np.nan, 1.0]], r"'b' holds NaN or an infinite value \(1 of 2 do\).*Leave such rows"),
        (["a", "b"], [[0.0, 0.0], [0.0, 1.0]], r"'a' is all zeros"),
        (["a", "b", "a"], [[1.0], [1.0], [1.0]], r"1 ids stand more than once, 'a' among them"),
        (["a"], [[1.0], [1.0]], r"1 ids for 2 vectors"),
        (["a", 7], [[1.0], [1.0]], r"id 7 is of type int; ids are strings"),
        (["a"], [[]], r"got float64 \[1, 0\]"),
    ],
)
def test_wrong_data_is_refused(build, ids, vectors, message):
    with pytest.raises(DataError, match=message):
        build(ids, np.array(vectors))


def test_an_unknown_item_is_named(compass):
    with pytest.raises(RequestError, match=r"No item has the id 'south'\. The index holds 4 items, such as 'east'"):
        compass.vector("south")


@st.composite
def searches(draw):
    """A set of vectors with many ties, queries, a filter and k."""
    dim, count = draw(st.integers(1, 12)), draw(st.integers(1, 40))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    # Few small whole numbers, so that equal and opposite directions are common.
    vectors = (
        random.integers(-2, 3, (count, dim)).astype(np.float32)
        if draw(st.booleans())
        else (random.standard_normal((count, dim)))
    )
    vectors[~vectors.any(axis=1)] = 1
    queries = vectors[random.integers(0, count, draw(st.integers(1, 30)))] + draw(st.sampled_from([0, 0.25]))
    queries[~queries.any(axis=1)] = 1
    allowed = random.random(count) < draw(st.sampled_from([0.0, 0.2, 0.8])) if draw(st.booleans()) else None
    return vectors, queries, allowed, draw(st.integers(1, count + 3))


@settings(max_examples=80, deadline=None)
@given(searches())
def test_faiss_answers_exactly_as_a_naive_loop(tmp_path_factory, search):
    vectors, queries, allowed, k = search
    ids = [f"id{number}" for number in range(len(vectors))]
    folder = tmp_path_factory.mktemp("generation") / "g"
    found = build_published(folder, ids, vectors).search(queries, k, allowed=allowed)
    oracle = ExactGeneration(ids=ids, vectors=vectors, encoder_digest=DIGEST).search(queries, k, allowed=allowed)
    assert found == oracle
    for row, query in enumerate(queries.astype(float)):
        by_hand = sorted(
            -round(float(vector @ query / np.linalg.norm(vector) / np.linalg.norm(query)), 5)
            for position, vector in enumerate(vectors.astype(float))
            if allowed is None or allowed[position]
        )
        np.testing.assert_allclose(-np.array(oracle.scores[row]), by_hand[:k], atol=2e-5)
