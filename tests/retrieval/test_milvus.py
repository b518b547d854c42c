"""Milvus behind the methods of a live index, in its embedded edition, beside exact search in numpy."""

import datetime as dt
import fcntl
import logging
import socket
import sys
import threading

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polyloom.errors import DataError, IntegrityError, PolyloomError, RequestError
from retrieval import milvus_connection
from retrieval.exact import ExactGeneration
from retrieval.items import Field, Items
from retrieval.metrics import scores
from retrieval.milvus import create_index, open_index, open_writer
from retrieval.milvus_collection import quoted
from retrieval.milvus_connection import connect, explained
from retrieval.where import parse_filter

pytest.importorskip("pymilvus", reason="needs the extra milvus")
grpc = pytest.importorskip("grpc", reason="needs the extra milvus")
tokenize = pytest.importorskip("milvus_lite.search.filter.tokens", reason="needs the extra milvus").tokenize
lite = pytest.importorskip("milvus_lite.server_manager", reason="needs the extra milvus: its embedded edition")

ENCODER, OTHER = "e" * 64, "f" * 64
DIM = 8
FIELD = Field(ENCODER, DIM)
ODD = ['"', "'", "\\", 'a"] or id != "', "two\nlines", "\t\r", "", "条目", "😀", "{x}"]


@pytest.fixture(autouse=True)
def nothing_is_left_running():
    """Each test closes what it opened."""
    before = set(threading.enumerate())
    yield
    assert not milvus_connection.held
    assert not lite.server_manager_instance._servers
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive(), thread


@pytest.fixture
def uri(tmp_path):
    return str(tmp_path / "folder" / "items.db")


def some(count, *, seed=0, dim=DIM):
    """Vectors of any length."""
    return np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)


def names(count, *, begin=0):
    """Ids, some of which a filter must quote."""
    return [*ODD, *(f"item-{number}" for number in range(begin, begin + count - len(ODD)))]


def writer_of(uri, *, fields=None, kind="flat"):
    """A writer to a new collection."""
    fields = fields or {"text": FIELD}
    create_index(uri, "items", fields=fields, kind=kind)
    return open_writer(uri, "items", encoders={name: field.encoder_digest for name, field in fields.items()})


def opened(uri):
    return open_index(uri, "items", encoders={"text": ENCODER})


def agrees(index, expected):
    """Whether an index answers as numpy does over a dictionary of the same items, with a mask and without."""
    ids = sorted(expected)
    assert list(index.ids) == ids
    oracle = ExactGeneration(ids=ids, vectors=np.array([expected[id_] for id_ in ids]), encoder_digest=ENCODER)
    queries, field = some(5, seed=7), index.field("text")
    for allowed in (None, *(np.random.default_rng(3).random(len(ids)) < share for share in (0.0, 0.02, 0.5, 1.0))):
        assert field.search(queries, 10, allowed=allowed) == oracle.search(queries, 10, allowed=allowed)
    for id_ in ids[:12]:
        np.testing.assert_allclose(field.vector(id_), oracle.vector(id_), atol=1e-6)


def test_search_is_that_of_numpy_through_changes_and_masks(uri):
    vectors = some(500)
    expected = dict(zip(names(500), vectors, strict=True))
    with writer_of(uri) as writer:
        writer.upsert(Items(ids=list(expected), vectors={"text": vectors}))
        with opened(uri) as index:
            agrees(index, expected)
        changed = dict(zip(names(60, begin=470), some(60, seed=1), strict=True))
        writer.upsert(Items(ids=list(changed), vectors={"text": np.array(list(changed.values()))}))
        expected |= changed
        assert writer.delete(["nobody", *ODD[:5], "item-3", "item-3"]) == 6
        for id_ in [*ODD[:5], "item-3"]:
            del expected[id_]
        assert writer.delete([]) == 0
        assert writer.verify() == len(expected)
        writer.compact()
        with opened(uri) as index:
            agrees(index, expected)
    with opened(uri) as index:
        agrees(index, expected)


def test_equal_vectors_stand_by_id_and_a_change_is_seen_at_once(uri):
    with writer_of(uri) as writer, opened(uri) as index:
        field = index.field("text")
        assert field.search(some(2), 3).ids == [[], []]
        writer.upsert(Items(ids=["c", "a", "b"], vectors={"text": np.ones((3, DIM))}))
        assert field.search(np.ones((1, DIM)), 2).ids == [["a", "b"]]
        assert field.search(np.ones((1, DIM)), 2).scores == [[1.0, 1.0]]
        assert list(index.ids) == ["a", "b", "c"]
        writer.delete(["a"])
        assert field.search(np.ones((1, DIM)), 2).ids == [["b", "c"]]
        assert field.search(np.ones((1, DIM)), 9, allowed=np.array([True, False, True])).ids == [["c"]]


@pytest.mark.parametrize("metric", ["inner_product", "l2"])
def test_scores_are_what_each_measure_says(uri, metric):
    vectors, queries = some(200), some(3, seed=1)
    with writer_of(uri, fields={"text": Field(ENCODER, DIM, metric)}) as writer:
        writer.upsert(Items(ids=names(200), vectors={"text": vectors}))
        with opened(uri) as index:
            found = index.field("text").search(queries, 5)
    for query, ids, near in zip(queries, found.ids, found.scores, strict=True):
        all_scores = dict(zip(names(200), scores(query, vectors, metric=metric).tolist(), strict=True))
        best = sorted(all_scores.items(), key=lambda pair: (-pair[1], pair[0]))[:5]
        assert list(zip(ids, near, strict=True)) == best


def test_several_fields_of_which_an_item_may_lack_some(uri):
    fields = {"text": FIELD, "图-片": Field(OTHER, 3)}
    pictures = some(40, seed=2, dim=3)
    there = np.arange(40) % 2 == 0
    pictures[~there] = np.nan
    with writer_of(uri, fields=fields) as writer:
        writer.upsert(Items(ids=names(40), vectors={"text": some(40), "图-片": pictures}, present={"图-片": there}))
        with pytest.raises(DataError, match=r"have vectors of \['text'\], the index holds"):
            writer.upsert(Items(ids=["a"], vectors={"text": some(1)}))
    with open_index(uri, "items", encoders={"text": ENCODER, "图-片": OTHER}) as index:
        assert index.fields == ("text", "图-片")
        assert len(index.field("text").search(some(1), 40).ids[0]) == 40
        known = [id_ for id_, has in zip(names(40), there, strict=True) if has]
        assert sorted(index.field("图-片").search(pictures[:1], 40).ids[0]) == sorted(known)
        assert set(index.field("图-片").vectors(names(40))) == set(known)
        with pytest.raises(RequestError, match=r"The item '条目' has no vector here\. Ask by what it has"):
            index.field("图-片").vector("条目")
        with pytest.raises(RequestError, match=r"No item has the id 'nobody'\. The index holds 40 items"):
            index.field("图-片").vector("nobody")


ROWS = pa.table(
    {
        "price": [5.0, None, float("nan"), 20.0],
        "tags": pa.array([["red"], [], None, ["red", "新"]], pa.list_(pa.string())),
        "at": pa.array([dt.datetime(2026, 1, day, tzinfo=dt.UTC) for day in range(1, 5)], pa.timestamp("us", tz="UTC")),
        "day": pa.array([dt.date(2026, 1, day) for day in range(1, 5)]),
        "title": ["Red shoe", "鞋子", 'a "b" \\ c', None],
    }
)
COLUMNS = {"price": "number", "tags": "labels", "at": "time", "day": "time", "title": "text"}


def test_columns_are_read_back_and_filter(uri):
    ids = ["d", "b", "条目", "a"]
    with writer_of(uri) as writer:
        writer.upsert(Items(ids=ids, vectors={"text": some(4)}, rows=ROWS, texts=["one", "二", "", "four"]))
    with opened(uri) as index:
        assert index.keywords is None
        assert index.row("条目") == {
            "price": None,
            "tags": None,
            "at": "2026-01-03T00:00:00+00:00",
            "day": "2026-01-03T00:00:00+00:00",
            "title": 'a "b" \\ c',
        }
        assert index.rows(["a", "nobody"], ["price"]) == {"a": {"price": 20.0}}
        assert index.held(["a", "nobody"]) == {"a"}
        assert index.texts(ids) == {"d": "one", "b": "二", "条目": "", "a": "four"}
        for text in ("price < 20", "tags = 'red'", "at > '2026-01-02'", "day <= '2026-01-02'", "title LIKE '%b%'"):
            condition = parse_filter(text, COLUMNS)
            expected = dict(zip(ids, condition.mask(ROWS), strict=True))
            mask = index.marked(condition.mask)
            assert [expected[id_] for id_ in index.ids] == mask.tolist()
            assert sorted(index.field("text").search(some(1), 9, allowed=mask).ids[0]) == sorted(
                id_ for id_ in ids if expected[id_]
            )
        with pytest.raises(RequestError, match=r"No item has the id 'nobody'\. The index holds 4 items, such as 'a'"):
            index.row("nobody")


def test_an_index_without_columns_marks_nothing(uri):
    with writer_of(uri) as writer:
        writer.upsert(Items(ids=["a"], vectors={"text": some(1)}))
    with opened(uri) as index:
        assert index.marked(lambda _: pytest.fail("there is no table")).tolist() == [False]
        assert index.row("a") == {}


def test_what_cannot_be_is_refused_in_the_words_of_the_other_indexes_and_changes_nothing(uri):
    with writer_of(uri) as writer, opened(uri) as index:
        writer.upsert(Items(ids=["a"], vectors={"text": some(1)}))
        for ids, vectors, message in (
            (["b"], np.full((1, DIM), np.nan), "'b' holds NaN"),
            (["b"], np.zeros((1, DIM)), "'b' is all zeros"),
            (["b"], np.ones((1, 3)), "have 3 dimensions, the index 8"),
            (["b", "b"], np.ones((2, DIM)), "ids stand more than once"),
            (["b" * 70_000], np.ones((1, DIM)), "The id of the item 'b+' takes 70000 bytes, and Milvus 65535 at most"),
        ):
            with pytest.raises(DataError, match=message):
                writer.upsert(Items(ids=ids, vectors={"text": vectors}))
        for rows, message in (
            (pa.table({"x": [dt.timedelta(1)]}), "The row of 'b' cannot be kept in Milvus as JSON: a timedelta"),
            (pa.table({"x": [float("inf")]}), "The row of 'b' cannot be kept in Milvus as JSON: Out of range"),
            (pa.table({"x": ["长" * 30_000]}), "The row of the item 'b' takes 900.. bytes"),
        ):
            with pytest.raises(DataError, match=message):
                writer.upsert(Items(ids=["b"], vectors={"text": some(1)}, rows=rows))
        assert writer.verify() == 1
        for query, k, mask, message in (
            (np.ones((1, 3)), 1, None, "The query has 3 dimensions, the index 8"),
            (np.full((1, DIM), np.inf), 1, None, "NaN or an infinite value"),
            (np.ones((1, DIM)), 0, None, "k is 0; ask for at least 1 neighbour"),
            (np.ones((1, DIM)), 20_000, None, "k is 20000; Milvus gives 16384 neighbours at most"),
            (np.ones((1, DIM)), 1, np.ones(3, bool), r"must be bool \[1\]"),
        ):
            with pytest.raises(RequestError, match=message):
                index.field("text").search(query, k, allowed=mask)


def test_much_is_written_in_several_messages(uri, monkeypatch):
    monkeypatch.setattr("retrieval.milvus_items.MESSAGE", 2_000)
    expected = dict(zip(names(100), some(100), strict=True))
    with writer_of(uri) as writer:
        writer.upsert(Items(ids=list(expected), vectors={"text": np.array(list(expected.values()))}))
        writer.upsert(Items(ids=[], vectors={"text": np.zeros((0, DIM))}))
    monkeypatch.setattr("retrieval.milvus_field.MESSAGE", 2_000)
    with opened(uri) as index:
        agrees(index, expected)


@pytest.mark.parametrize("kind", [None, "hnsw", "ivf_flat", "ivf_sq8"])
def test_approximate_kinds_find_what_is_near(uri, kind):
    expected = dict(zip(names(1500), some(1500), strict=True))
    with writer_of(uri, kind=kind) as writer:
        writer.upsert(Items(ids=list(expected), vectors={"text": np.array(list(expected.values()))}))
        writer.compact()
    oracle = ExactGeneration(ids=list(expected), vectors=np.array(list(expected.values())), encoder_digest=ENCODER)
    queries = some(20, seed=5)
    with opened(uri) as index:
        found = index.field("text").search(queries, 10)
    true = oracle.search(queries, 10)
    recall = np.mean([len({*one} & {*other}) / 10 for one, other in zip(found.ids, true.ids, strict=True)])
    assert recall > 0.8
    assert all(near == sorted(near, reverse=True) for near in found.scores)


def test_another_encoder_reads_and_writes_nothing(uri):
    writer_of(uri).close()
    for encoders, message in (
        ({"text": OTHER}, f"belongs, in 'text', to the encoder {ENCODER}, the query to {OTHER}"),
        ({}, f"belongs, in 'text', to the encoder {ENCODER}, the query to none"),
        ({"text": ENCODER, "image": OTHER}, f"in 'image', to the encoder no encoder, the query to {OTHER}"),
    ):
        for opening in (open_index, open_writer):
            with pytest.raises(IntegrityError, match=message):
                opening(uri, "items", encoders=encoders)


def test_what_is_not_there_or_not_ours_is_named(uri):
    with pytest.raises(IntegrityError, match=r"items\.db is missing: there is no index here\. Create it first"):
        opened(uri)
    writer_of(uri).close()
    with pytest.raises(IntegrityError, match=r"has no collection 'other'\. Create it first"):
        open_index(uri, "other", encoders={})
    with pytest.raises(DataError, match=r"has a collection 'items' already\. Open it, or name another"):
        create_index(uri, "items", fields={"text": FIELD})
    connection = connect(uri)
    connection.client.create_collection("foreign", dimension=3)
    connection.close()
    with pytest.raises(IntegrityError, match="does not say which encoders it belongs to"):
        open_index(uri, "foreign", encoders={})


@pytest.mark.parametrize(
    ("name", "fields", "kind", "message"),
    [
        ("my items", {"text": FIELD}, None, "A collection 'my items' .* a name is of Latin letters, digits and _"),
        ("items", {"text": FIELD}, "tree", "kinds are flat, ivf_flat"),
        ("items", {}, None, "with 0 fields cannot be"),
        ("items", {"text": FIELD}, "ivf_pq", "embedded edition of Milvus has no ivf_pq; choose ivf_sq8, or a server"),
        ("items", {"text": Field(ENCODER, 0)}, None, "there is at least one dimension"),
    ],
)
def test_settings_that_there_are_not(uri, name, fields, kind, message):
    with pytest.raises(RequestError, match=message):
        create_index(uri, name, fields=fields, kind=kind)


def test_what_milvus_refuses_is_told_in_its_words_and_logged_nowhere(uri, monkeypatch):
    logged = []
    monkeypatch.setattr(logging.Logger, "handle", lambda _, record: logged.append(record.getMessage()))
    with writer_of(uri) as writer, opened(uri) as index:
        connection = connect(uri)
        connection.client.drop_collection("items")
        connection.close()
        with pytest.raises(PolyloomError, match=r"Milvus at .*items\.db refused: collection 'items' does not exist"):
            index.field("text").search(some(1), 1)
        with pytest.raises(PolyloomError, match=r"refused: "):
            writer.verify()
    assert logged == []


def test_a_path_that_another_process_has_open_is_named(uri):
    writer_of(uri).close()
    with open(f"{uri}/LOCK", "w") as held:  # noqa: PTH123
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(PolyloomError, match=r"cannot open .*items\.db; one process at a time may"):
            opened(uri)
    opened(uri).close()


def test_addresses(monkeypatch):
    for address in ("items", "ftp://host/items.db", "tcp://host:1"):
        with pytest.raises(RequestError, match=r"is not an address of Milvus\. Name a path that ends in \.db, or "):
            connect(address)
    monkeypatch.setattr(milvus_connection, "CONNECT_SECONDS", 0.2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(PolyloomError, match=f"does not answer at http://127.0.0.1:{port}; start it") as refused:
            connect(f"http://name:secret@127.0.0.1:{port}")
    assert "secret" not in str(refused.value)


def test_a_server_is_asked_with_the_token(tmp_path, monkeypatch):
    from milvus_lite.adapter.grpc.server import start_server_in_thread

    monkeypatch.setenv("POLYLOOM_MILVUS_TOKEN", "name:secret")
    server, database, port = start_server_in_thread(data_dir=str(tmp_path / "server"))
    try:
        expected = dict(zip(names(30), some(30), strict=True))
        with writer_of(f"http://127.0.0.1:{port}") as writer:
            assert writer._collection.connection.client._config.token == "name:secret"
            writer.upsert(Items(ids=list(expected), vectors={"text": np.array(list(expected.values()))}))
        with opened(f"http://127.0.0.1:{port}") as index:
            agrees(index, expected)
    finally:
        server.stop(grace=1).wait()
        database.close()


def test_errors_of_the_connection_itself_are_told_too():
    class UnauthenticatedError(grpc.RpcError):
        def details(self):
            return "auth check failure"

    for error, message in ((UnauthenticatedError(), "auth check failure"), (grpc.FutureTimeoutError(), "no answer")):
        with pytest.raises(PolyloomError, match=f"It refused: {message}"), explained("It refused"):
            raise error


@pytest.mark.parametrize("package", ["pymilvus", "milvus_lite"])
def test_without_the_extra_the_error_names_it(uri, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(RequestError, match=rf'needs the package {package}.*pip install "polyloom\[milvus\]"'):
        create_index(uri, "items", fields={"text": FIELD})


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example('a"b\\c')
@example("条目\n\t\r'")
def test_a_literal_of_a_filter_is_read_as_what_was_written(text):
    (literal, _) = tokenize(quoted(text))
    assert literal.value == text
