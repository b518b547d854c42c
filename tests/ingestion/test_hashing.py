"""A row's hash and number depend on the row alone: not on its neighbours, its chunk, or columns that are empty."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.hashing import content_hashes, hash_bytes, identities, key_texts

TEXTS = st.lists(st.text(max_size=90) | st.none(), min_size=1, max_size=8)


@settings(max_examples=100, deadline=None)
@given(texts=TEXTS, more=TEXTS)
def test_a_number_does_not_depend_on_the_other_texts(texts, more) -> None:
    alone = [identities(pa.array([text], pa.string()))[0] for text in texts]
    joined = pa.chunked_array([pa.array([*more, *texts], pa.string())]).combine_chunks()
    sliced = pa.array([*more, *texts], pa.string()).slice(len(more))
    assert identities(joined).tolist()[len(more) :] == alone == identities(sliced).tolist()


def test_different_texts_have_different_numbers() -> None:
    texts = [f"{'x' * length}{number}" for length in (0, 7, 8, 9, 63, 64, 65, 200) for number in range(500)]
    texts += ["a", "a\0", "a\0\0", "", "\0", "\0" * 8]
    assert len(set(identities(pa.array(texts)).tolist())) == len(texts)


def test_the_numbers_are_spread_evenly() -> None:
    numbers = identities(pa.array([str(number) for number in range(100_000)]))
    counts = np.bincount((numbers >> np.uint64(60)).astype(np.int64), minlength=16)
    assert abs(counts - 6250).max() < 5 * np.sqrt(6250)


def test_what_a_hash_rests_on() -> None:
    rows = {"a": ["x", "x", "x", None], "b": ["y", "y", None, "xy"], "n": [1.0, 1.0, None, None]}
    table = pa.table(rows)
    hashes = content_hashes(table, ["a", "b", "n"]).to_pylist()
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3
    wider = table.append_column("new", pa.nulls(4, pa.string()))
    assert content_hashes(wider, ["a", "b", "n", "new"]).to_pylist() == hashes


def test_no_content_passes_for_another() -> None:
    pairs = [(["a", "b"], ["a\x1db"]), (["a"], ["a", ""]), ([], [""])]
    for one, other in pairs:
        table = pa.table({"words": pa.array([one, other], pa.list_(pa.string()))})
        first, second = content_hashes(table, ["words"]).to_pylist()
        assert first != second, (one, other)
    table = pa.table({"a": ["x\x1eb\x1f1\x1fy", "x"], "b": [None, "y"]})
    first, second = content_hashes(table, ["a", "b"]).to_pylist()
    assert first != second


def test_a_key_is_the_start_of_the_hash() -> None:
    hashes = content_hashes(pa.table({"a": ["x", "y"]}), ["a"])
    assert [key.decode() for key in key_texts(hash_bytes(hashes))] == [one.hex()[:24] for one in hashes.to_pylist()]
    assert key_texts(hash_bytes(hashes.slice(1)))[0].decode() == hashes[1].as_py().hex()[:24]
