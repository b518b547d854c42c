"""The embedding cache: every row once, whatever happens."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training import embedding
from training.embedding import EmbeddingCache, embed, text_hash

DIM = 2


class Counting:
    """An encoder of numbers whose vectors are known, which remembers what it was asked."""

    def __init__(self):
        self.batches = []

    def prepare(self, values):
        return {"number": np.array(values, dtype=np.float32)}

    def encode(self, arrays):
        self.batches.append(arrays["number"].tolist())
        return np.stack([arrays["number"], -arrays["number"]], axis=1)


@pytest.fixture
def encoder():
    return Counting()


@pytest.fixture
def cache(tmp_path):
    return EmbeddingCache(tmp_path / "cache")


def run(values, encoder, cache, **options):
    hashes = [text_hash(str(value)) for value in values]
    report = embed(values, hashes, prepare=encoder.prepare, encode=encoder.encode, dim=DIM, cache=cache, **options)
    np.testing.assert_array_equal(report.vectors, np.array([[v, -v] for v in values], np.float32).reshape(-1, DIM))
    return report


def test_a_second_call_embeds_nothing(encoder, cache):
    first, second = run(list(range(30)), encoder, cache), run(list(range(30)), encoder, cache)
    assert (first.embedded, first.reused) == (30, 0)
    assert (second.embedded, second.reused) == (0, 30)
    assert sum(len(batch) for batch in encoder.batches) == 30


def test_ten_new_rows_embed_ten(encoder, cache):
    run(list(range(30)), encoder, cache)
    encoder.batches.clear()
    report = run([*range(35, 40), *range(30), *range(30, 35)], encoder, cache)
    assert (report.embedded, report.reused) == (10, 30)
    assert sorted(number for batch in encoder.batches for number in batch) == list(range(30, 40))


def test_the_same_content_is_embedded_once(encoder, cache):
    report = run([5, 5, 6, 5, 6], encoder, cache)
    assert (report.embedded, report.reused) == (2, 3)
    assert encoder.batches == [[5, 6]]


def test_batches_go_by_length_and_vectors_keep_their_order(encoder, cache):
    run([9, 1, 5, 3], encoder, cache, batch_size=2, lengths=np.array)
    assert encoder.batches == [[1, 3], [5, 9]]


def test_nothing_to_embed(encoder, cache):
    report = run([], encoder, cache)
    assert (report.embedded, report.reused, report.vectors.shape) == (0, 0, (0, DIM))
    assert not cache.folder.exists()


def test_what_was_embedded_before_a_failure_is_kept(encoder, cache, monkeypatch):
    monkeypatch.setattr(embedding, "SEGMENT_ROWS", 10)
    fine = encoder.encode

    def failing(arrays):
        if 25 in arrays["number"]:
            raise RuntimeError("out of memory")
        return fine(arrays)

    encoder.encode = failing
    with pytest.raises(RuntimeError, match="out of memory"):
        run(list(range(30)), encoder, cache)
    encoder.encode = fine
    report = run(list(range(30)), encoder, cache)
    assert (report.embedded, report.reused) == (10, 20)


def test_a_torn_temporary_file_is_ignored(encoder, cache):
    run([1, 2], encoder, cache)
    segment = next(cache.folder.glob("*.parquet"))
    (cache.folder / f".{segment.name}.k3x9").write_bytes(segment.read_bytes()[:50])
    assert run([1, 2, 3], encoder, cache).embedded == 1


def test_segments_are_parquet_named_after_their_content(encoder, cache):
    run([1, 2], encoder, cache)
    before = {path.name: path.read_bytes() for path in cache.folder.iterdir()}
    cache.add([text_hash("1"), text_hash("2")], np.array([[1, -1], [2, -2]]))
    assert {path.name: path.read_bytes() for path in cache.folder.iterdir()} == before
    table = pq.read_table(next(cache.folder.iterdir()))
    assert table.schema.field("vector").type == pa.list_(pa.field("element", pa.float32()), DIM)
