"""Embeddings computed once: kept on disk by encoder digest and content hash."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modalities.preparation.protocol import Arrays
from polyloom.durable import replace_file
from polyloom.progress import SILENT, Progress

Encode = Callable[[Arrays], np.ndarray]
Prepare = Callable[[Sequence[object]], Arrays]
SEGMENT_ROWS = 2048


@dataclass(frozen=True)
class EmbedReport:
    """`vectors` float32 [values, dim]; how many were computed now and how many were there already."""

    vectors: np.ndarray
    embedded: int
    reused: int


class EmbeddingCache:
    """One encoder's embeddings by content hash: Parquet segments that are only ever added to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self) -> dict[str, np.ndarray]:
        """All embeddings, float32 [dim] each."""
        known: dict[str, np.ndarray] = {}
        for path in sorted(self.folder.glob("*.parquet")):
            table = pq.read_table(path)
            vectors = table["vector"].combine_chunks()
            matrix = vectors.values.to_numpy().reshape(len(table), -1)
            known.update(zip(table["hash"].to_pylist(), matrix, strict=True))
        return known

    def add(self, hashes: Sequence[str], vectors: np.ndarray) -> None:
        """Write one more segment, named after its content, in one step."""
        flat = pa.array(vectors.astype(np.float32).reshape(-1))
        columns = {"hash": pa.array(hashes), "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])}
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(columns), sink, compression="zstd")
        name = hashlib.sha256("".join(hashes).encode()).hexdigest()[:32]
        replace_file(self.folder / f"{name}.parquet", sink.getvalue().to_pybytes())


def embed(
    values: Sequence[object],
    hashes: Sequence[str],
    *,
    prepare: Prepare,
    encode: Encode,
    dim: int,
    cache: EmbeddingCache,
    batch_size: int = 64,
    lengths: Callable[[Sequence[object]], np.ndarray] | None = None,
    name: str = "embed",
    progress: Progress = SILENT,
) -> EmbedReport:
    """The embedding of each value; only values whose hash the cache does not hold are encoded, each once."""
    known = cache.read()
    first: dict[str, int] = {}
    for place, digest in enumerate(hashes):
        first.setdefault(digest, place)
    missing = [place for digest, place in first.items() if digest not in known]
    if missing:
        with progress.stage(name, total=len(missing), unit="rows") as bar:
            for start in range(0, len(missing), SEGMENT_ROWS):
                places = missing[start : start + SEGMENT_ROWS]
                part = [values[place] for place in places]
                vectors = encoded(part, prepare, encode, dim, batch_size, lengths, bar.advance)
                keys = [hashes[place] for place in places]
                cache.add(keys, vectors)
                known.update(zip(keys, vectors, strict=True))
    vectors = np.stack([known[digest] for digest in hashes]) if hashes else np.zeros((0, dim), dtype=np.float32)
    return EmbedReport(vectors=vectors, embedded=len(missing), reused=len(hashes) - len(missing))


def encoded(
    values: Sequence[object],
    prepare: Prepare,
    encode: Encode,
    dim: int,
    batch_size: int,
    lengths: Callable[[Sequence[object]], np.ndarray] | None,
    advance: Callable[[int], None],
) -> np.ndarray:
    """Encode in batches of like length and put the vectors back into the values' order."""
    order = np.argsort(lengths(values), kind="stable") if lengths else np.arange(len(values))
    vectors = np.zeros((len(values), dim), dtype=np.float32)
    for start in range(0, len(order), batch_size):
        places = order[start : start + batch_size]
        vectors[places] = encode(prepare([values[place] for place in places]))
        advance(len(places))
    return vectors


def text_hash(text: str) -> str:
    """SHA-256 of a text, the key of its embedding."""
    return hashlib.sha256(text.encode()).hexdigest()
