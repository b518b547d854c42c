"""An index that changes: every state against a plain dictionary, readers beside the writer, damage, and kills."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyloom.errors import DataError, IntegrityError, RequestError
from retrieval import live
from retrieval.exact import ExactGeneration
from retrieval.items import Field, Items
from retrieval.kinds import Reach
from retrieval.live import Writer, create_index, open_index
from retrieval.state import read_state

ENCODER, OTHER = "e" * 64, "f" * 64
DIM = 8
FIELDS = {"v": Field(ENCODER, DIM)}
OF = {"v": ENCODER}


def put(writer, ids, vectors):
    """Put items with vectors of the one field in."""
    return writer.upsert(Items(ids=ids, vectors={"v": vectors}))


def some(count, *, seed=0):
    """Vectors in a few clusters, as embeddings are."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((12, DIM))
    return (centres[random.integers(12, size=count)] + 0.5 * random.standard_normal((count, DIM))).astype(np.float32)


def names(count, *, begin=0):
    """Ids of two languages."""
    return [f"条目 {number}" if number % 2 else f"item-{number}" for number in range(begin, begin + count)]


@pytest.fixture
def writer(tmp_path):
    create_index(tmp_path / "index", fields=FIELDS)
    return Writer(tmp_path / "index", encoders=OF)


def opened(writer):
    """The present state."""
    return open_index(writer.folder, encoders=writer.encoders)


def agrees(snapshot, expected):
    """Whether exact search over a state answers as numpy does over a dictionary of the same items."""
    assert list(snapshot.ids) == list(expected)
    if not expected:
        return
    queries = some(5, seed=7)
    oracle = ExactGeneration(ids=list(expected), vectors=np.array(list(expected.values())), encoder_digest=ENCODER)
    assert snapshot.field("v").search_exactly(queries, 6) == oracle.search(queries, 6)
    for name in list(expected)[:3]:
        np.testing.assert_allclose(snapshot.field("v").vector(name), oracle.vector(name), atol=1e-6)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("upsert"), st.lists(st.integers(0, 25), min_size=1, max_size=12, unique=True)),
        st.tuples(st.just("delete"), st.lists(st.integers(0, 30), min_size=1, max_size=12, unique=True)),
        st.tuples(st.sampled_from(["compact", "rebuild"]), st.just([])),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_any_course_of_changes_is_that_of_a_dictionary(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("live") / "index"
    create_index(folder, fields=FIELDS)
    writer, expected = Writer(folder, encoders=OF), {}
    for number, (what, places) in enumerate(steps):
        ids = [f"id{place}" for place in places]
        if what == "upsert":
            vectors = some(len(ids), seed=number)
            put(writer, ids, vectors)
            for id_, vector in zip(ids, vectors, strict=True):
                expected.pop(id_, None)
                expected[id_] = vector
        elif what == "delete":
            assert writer.delete(ids) == sum(expected.pop(id_, None) is not None for id_ in ids)
        else:
            getattr(writer, what)()
        agrees(opened(writer), expected)
    assert len(list((folder / "segments").glob("[!.]*"))) <= live.MOST_PARTS


def test_a_reader_keeps_the_state_that_it_opened(writer):
    vectors = some(40)
    put(writer, names(40), vectors)
    before = opened(writer)
    expected = before.field("v").search(vectors[:4], 5)
    writer.delete(names(20))
    put(writer, names(10, begin=100), some(10, seed=3))
    writer.compact()
    assert before.field("v").search(vectors[:4], 5) == expected
    assert list(before.ids) == names(40)
    assert list(opened(writer).ids) == [*names(20, begin=20), *names(10, begin=100)]


def test_items_that_nobody_knows_are_not_deleted_and_change_nothing(writer):
    put(writer, names(5), some(5))
    number = opened(writer).number
    assert writer.delete(["nobody"]) == 0
    assert writer.delete([]) == 0
    assert put(writer, [], np.zeros((0, DIM))) == number
    assert opened(writer).number == number


def test_many_small_writes_are_joined_and_a_large_part_is_left_alone(writer, monkeypatch):
    monkeypatch.setattr(live, "SMALL", 60)
    put(writer, names(100), some(100))
    for number in range(30):
        put(writer, [f"new {number}"], some(1, seed=number))
    state = read_state(writer.folder)
    assert len(state.parts) <= live.MOST_PARTS + 1
    assert state.parts[0].count == 100
    assert list(opened(writer).ids) == [*names(100), *(f"new {number}" for number in range(30))]


@pytest.mark.parametrize("metric", ["cosine", "inner_product", "l2"])
@pytest.mark.parametrize("kind", ["ivf_flat", "ivf_sq8", "ivf_pq", "hnsw"])
def test_approximate_kinds_find_what_is_near_through_filters_and_after_changes(tmp_path, kind, metric):
    create_index(tmp_path, fields={"v": Field(ENCODER, DIM, metric)}, kind=kind)
    writer = Writer(tmp_path, encoders=OF)
    put(writer, names(3000), some(3000))
    writer.compact()
    writer.delete(names(600))
    put(writer, names(50), some(50, seed=4))
    snapshot = open_index(tmp_path, encoders=OF)
    snapshot.field("v").reach = Reach(lists=12)
    queries = some(40, seed=5)
    allowed = np.random.default_rng(0).random(len(snapshot.ids)) < 0.5
    for mask in (None, allowed):
        found, true = (
            ask(queries, 10, allowed=mask) for ask in (snapshot.field("v").search, snapshot.field("v").search_exactly)
        )
        recall = np.mean([len({*one} & {*other}) / 10 for one, other in zip(found.ids, true.ids, strict=True)])
        assert recall > 0.9
        assert {id_ for ids in found.ids for id_ in ids} <= {
            id_ for id_, there in zip(snapshot.ids, [True] * 2450 if mask is None else mask, strict=True) if there
        }


def test_scores_are_what_each_metric_says(tmp_path):
    for metric, expected in (("cosine", [1.0, 0.6]), ("inner_product", [2.0, 0.6]), ("l2", [-1.0, -0.8])):
        folder = tmp_path / metric
        create_index(folder, fields={"v": Field(ENCODER, 2, metric)})
        put(Writer(folder, encoders=OF), ["long", "askew"], np.array([[2.0, 0.0], [0.6, 0.8]]))
        found = open_index(folder, encoders=OF).field("v").search(np.array([[1.0, 0.0]]), 2)
        assert dict(zip(found.ids[0], found.scores[0], strict=True)) == dict(
            zip(["long", "askew"], expected, strict=True)
        )


def test_few_allowed_items_are_compared_one_by_one(tmp_path, monkeypatch):
    create_index(tmp_path, fields=FIELDS, kind="ivf_sq8")
    writer = Writer(tmp_path, encoders=OF)
    put(writer, names(2000), some(2000))
    writer.compact()
    snapshot = open_index(tmp_path, encoders=OF)
    allowed = np.zeros(2000, dtype=bool)
    allowed[::400] = True
    queries = some(10, seed=2)
    assert snapshot.field("v").search(queries, 5, allowed=allowed) == snapshot.field("v").search_exactly(
        queries, 5, allowed=allowed
    )


def test_the_kind_follows_the_size_and_a_given_one_stays(writer, monkeypatch):
    monkeypatch.setattr("retrieval.kinds.EXACT_VECTORS", 500)
    put(writer, names(1000), some(1000))
    record = writer.folder / "segments" / read_state(writer.folder).parts[0].name / "segment.json"
    assert json.loads(record.read_text())["kinds"] == {"v": "flat"}
    writer.compact()
    number = opened(writer).number
    assert kind_of(writer) == "ivf_sq8"
    assert writer.compact() == number
    writer.rebuild("hnsw")
    writer.delete(names(1))
    writer.compact()
    assert kind_of(writer) == "hnsw"
    writer.rebuild()
    assert kind_of(writer) == "ivf_sq8"


def kind_of(writer):
    """The kind of the only segment."""
    (part,) = read_state(writer.folder).parts
    return json.loads((writer.folder / "segments" / part.name / "segment.json").read_text())["kinds"]["v"]


def test_everything_taken_out_leaves_an_empty_index(writer):
    put(writer, names(3), some(3))
    writer.delete(names(3))
    empty = opened(writer)
    assert list(empty.ids) == []
    assert empty.field("v").search(some(2), 3).ids == [[], []]
    assert not list((writer.folder / "segments").iterdir())
    with pytest.raises(RequestError, match=r"The index holds 0 items\."):
        empty.field("v").vector("item-0")


def test_what_cannot_be_is_refused_and_changes_nothing(writer):
    put(writer, names(2), some(2))
    number = opened(writer).number
    for ids, vectors, message in (
        (["a"], np.full((1, DIM), np.nan), "'a' holds NaN"),
        (["a"], np.zeros((1, DIM)), "'a' is all zeros"),
        (["a"], np.ones((1, 3)), "have 3 dimensions, the index 8"),
        (["a", "a"], np.ones((2, DIM)), "ids stand more than once"),
        (["a"], np.ones((2, DIM)), "1 ids for 2 vectors"),
    ):
        with pytest.raises(DataError, match=message):
            put(writer, ids, vectors)
    for query, message in (
        (np.ones((1, 3)), "The query has 3 dimensions, the index 8"),
        (np.full((1, DIM), np.inf), "NaN or an infinite value"),
    ):
        with pytest.raises(RequestError, match=message):
            opened(writer).field("v").search(query, 1)
    assert opened(writer).field("v").search(some(1), 99).ids[0][0] in names(2)
    assert opened(writer).number == number


def test_another_encoder_reads_and_writes_nothing(writer):
    put(writer, names(2), some(2))
    with pytest.raises(IntegrityError, match=f"belongs, in 'v', to the encoder {ENCODER}, the query to {OTHER}"):
        open_index(writer.folder, encoders={"v": OTHER})
    with pytest.raises(IntegrityError, match=f"belongs, in 'v', to the encoder {ENCODER}"):
        put(Writer(writer.folder, encoders={"v": OTHER}), ["a"], np.ones((1, DIM)))


def test_an_index_is_not_made_twice_and_not_of_anything(tmp_path):
    create_index(tmp_path, fields=FIELDS)
    with pytest.raises(DataError, match="holds an index already"):
        create_index(tmp_path, fields=FIELDS)
    with pytest.raises(RequestError, match="metrics are cosine, inner_product, l2"):
        create_index(tmp_path / "other", fields={"v": Field(ENCODER, DIM, "hamming")})
    with pytest.raises(RequestError, match="there are flat, ivf_flat"):
        Writer(tmp_path, encoders=OF).rebuild("tree")
    with pytest.raises(IntegrityError, match="there is no index here"):
        open_index(tmp_path / "none", encoders=OF)


FILES = [
    "v.exact.faiss",
    "v.near.faiss",
    "segment.json",
    "ids.txt.npy",
    "ids.ends.npy",
    "ids.hashes.npy",
    "ids.order.npy",
]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["flipped", "cut", "missing"])
def test_a_damaged_file_is_named(writer, name, damage):
    put(writer, names(500), some(500))
    writer.rebuild("ivf_sq8")
    (part,) = read_state(writer.folder).parts
    harm(writer.folder / "segments" / part.name / name, damage)
    with pytest.raises(IntegrityError, match=name):
        opened(writer)


@pytest.mark.parametrize("damage", ["flipped", "cut", "missing"])
def test_a_damaged_state_or_list_of_the_removed_is_named(writer, damage):
    put(writer, names(50), some(50))
    writer.delete(names(10))
    (bits,) = (writer.folder / "removed").iterdir()
    content = bits.read_bytes()
    harm(bits, damage)
    with pytest.raises(IntegrityError, match=bits.name):
        opened(writer)
    bits.write_bytes(content)
    harm(writer.folder / "index.json", damage)
    with pytest.raises(IntegrityError, match=r"index\.json"):
        opened(writer)


def harm(path, damage):
    """Change one bit of a file, cut it, or take it away; a mapped file is replaced, never written to."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    if damage != "missing":
        path.write_bytes(bytes(content) if damage == "flipped" else bytes(content[: len(content) // 2]))


def test_verify_reads_every_byte_whatever_was_noted(writer):
    put(writer, names(50), some(50))
    assert writer.verify() == 50
    (part,) = read_state(writer.folder).parts
    path = writer.folder / "segments" / part.name / "v.exact.faiss"
    state, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    with path.open("r+b") as stream:
        stream.write(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    opened(writer)
    with pytest.raises(IntegrityError, match=r"exact\.faiss is not what was recorded"):
        writer.verify()


def test_opening_reads_no_vectors_again_once_they_were_found_right(writer, monkeypatch):
    put(writer, names(50), some(50))
    monkeypatch.setattr("retrieval.segment.file_digest", lambda path: pytest.fail(f"{path} was read"))
    assert len(opened(writer).ids) == 50


def test_a_folder_that_nobody_may_write_to_is_read_all_the_same(writer, monkeypatch):
    put(writer, names(5), some(5))
    for path in (writer.folder / "segments").glob(".*.seen"):
        path.unlink()
    monkeypatch.setattr("retrieval.segment.write_json", lambda *_: (_ for _ in ()).throw(PermissionError()))
    assert len(opened(writer).ids) == 5


def test_a_reader_that_comes_while_the_state_changes_reads_the_new_one(writer, monkeypatch):
    put(writer, names(5), some(5))
    put(writer, names(5, begin=5), some(5, seed=1))
    whole = live.open_part
    calls = []

    def late(folder, given, part, **how):
        if not calls:
            calls.append(part)
            writer.compact()
        return whole(folder, given, part, **how)

    monkeypatch.setattr(live, "open_part", late)
    assert list(opened(writer).ids) == names(10)


WORKER = """
import sys
from pathlib import Path
import numpy as np
from retrieval.live import Writer
from tests.retrieval.test_live import OF, put, some

writer = Writer(Path(sys.argv[1]), encoders=OF)
print("ready", flush=True)
for number in range(10_000):
    begin = number * 7 % 60
    what = number % 5
    if what < 2:
        put(writer, [f"id{place}" for place in range(begin, begin + 20)], some(20, seed=number))
    elif what == 2:
        writer.delete([f"id{place}" for place in range(begin, begin + 10)])
    elif what == 3:
        writer.compact()
    else:
        writer.rebuild("ivf_sq8" if number % 2 else "flat")
    print(number, flush=True)
"""


def after(steps):
    """The dictionary after so many of the worker's steps."""
    expected = {}
    for number in range(steps):
        begin, what = number * 7 % 60, number % 5
        if what < 2:
            for place, vector in zip(range(begin, begin + 20), some(20, seed=number), strict=True):
                expected.pop(f"id{place}", None)
                expected[f"id{place}"] = vector
        elif what == 2:
            for place in range(begin, begin + 10):
                expected.pop(f"id{place}", None)
    return expected


def killed_at_random(folder, *, seed):
    """Let a worker change the index until it is killed somewhere; how many steps it said were done."""
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder)], cwd=root, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout.readline() == "ready\n"
        time.sleep(float(np.random.default_rng(seed).uniform(0.02, 0.5)))
        worker.send_signal(signal.SIGKILL)
        said = worker.stdout.read().split()
    return len([line for line in said if line.isdigit()])


@pytest.mark.parametrize("seed", range(6))
def test_a_kill_leaves_the_state_before_or_after(writer, seed):
    done = killed_at_random(writer.folder, seed=seed)
    snapshot = opened(writer)
    before, changed = after(done), after(done + 1)
    # The line of the last step may have been lost.
    found = list(snapshot.ids)
    agrees(snapshot, next((state for state in (before, changed, after(done + 2)) if list(state) == found), before))
    put(writer, ["next"], some(1))
    writer.compact()
    assert len(list((writer.folder / "segments").iterdir())) == 2
