"""A vector index on disk: exact (Flat, inner product over unit vectors), immutable, memory-mapped.

A generation is a folder: `index.faiss`, `ids.json`, and `generation.json` with the digests of those two and its own.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from polyloom.durable import file_digest, json_digest, publish_folder, read_json, write_json
from polyloom.errors import DataError, IntegrityError
from retrieval.protocol import Generation, Neighbours
from retrieval.records import read_record
from retrieval.selection import bitmap
from retrieval.vectors import best, check_request, position_of, unique_ids, unit_queries, unit_vectors

RECORD, INDEX, IDS = "generation.json", "index.faiss", "ids.json"
# Above what float32 sums may be wrong by, and what rounding may move.
TOLERANCE = 2e-5


def build_generation(folder: Path, *, ids: Sequence[str], vectors: np.ndarray, encoder_digest: str) -> None:
    """Publish `vectors` [items, dim], which may have any length, as a generation in `folder`.

    Building the same generation again changes nothing.

    Raises: DataError for a vector that is NaN, infinite or zero, for ids that are not unique, or when `folder` holds
    something else.
    """
    ids = unique_ids(ids, count=len(vectors))
    unit = unit_vectors(vectors, name=lambda row: repr(ids[row]), error=DataError)
    with publish_folder(folder) as draft:
        index = faiss.IndexFlatIP(unit.shape[1])
        index.add(unit)
        faiss.write_index(index, str(draft / INDEX))
        write_json(draft / IDS, ids)
        facts = {"encoder_digest": encoder_digest, "dim": index.d, "count": len(ids), "metric": "inner_product"}
        facts["files"] = {name: file_digest(draft / name) for name in (INDEX, IDS)}
        record = {**facts, "digest": json_digest(facts)}
        write_json(draft / RECORD, record)
    if not (folder / RECORD).is_file() or read_json(folder / RECORD) != record:
        raise DataError(f"{folder} holds something else already, and a generation never changes. Name another folder.")


def open_generation(folder: Path, *, encoder_digest: str) -> Generation:
    """The generation in `folder`, for queries of the encoder `encoder_digest`.

    Raises: IntegrityError naming the file that is missing or changed, or the two encoders when they differ.
    """
    record = _read_record(folder)
    if record["encoder_digest"] != encoder_digest:
        raise IntegrityError(
            f"The index in {folder} belongs to the encoder {record['encoder_digest']}, the query to {encoder_digest}. "
            "Embed the items again with the query's encoder, or open the release that holds both."
        )
    for name, digest in record["files"].items():
        if not (folder / name).is_file():
            raise IntegrityError(f"{folder / name} is missing. Build the generation again.")
        if file_digest(folder / name) != digest:
            raise IntegrityError(f"{folder / name} is not what was recorded. Build the generation again.")
    index = faiss.read_index(str(folder / INDEX), faiss.IO_FLAG_MMAP_IFC)
    return FaissGeneration(index=index, ids=read_json(folder / IDS), encoder_digest=encoder_digest)


class FaissGeneration:
    """An open generation. `index` is a faiss index over unit vectors, in the order of `ids`."""

    def __init__(self, *, index: Any, ids: Sequence[str], encoder_digest: str) -> None:
        self.ids = ids
        self.encoder_digest = encoder_digest
        self._index = index
        self._positions = {id_: position for position, id_ in enumerate(ids)}

    @property
    def dim(self) -> int:
        """Length of every vector."""
        return int(self._index.d)

    def search(self, vectors: np.ndarray, k: int, *, allowed: np.ndarray | None = None) -> Neighbours:
        """The k nearest items of each query; see `Generation.search`."""
        queries = unit_queries(vectors, dim=self.dim)
        check_request(k, allowed, count=len(self.ids))
        if not len(self.ids) or not len(queries):
            return Neighbours(ids=[[] for _ in queries], scores=[[] for _ in queries])
        candidates = self._candidates(queries, min(k, len(self.ids)), _only(allowed))
        ranked = [
            best(query, self._index.reconstruct_batch(positions), positions, k)
            for query, positions in zip(queries, candidates, strict=True)
        ]
        return Neighbours(
            ids=[[self.ids[position] for position in found] for found, _ in ranked],
            scores=[scores.tolist() for _, scores in ranked],
        )

    def vector(self, id: str) -> np.ndarray:  # noqa: A002
        """The unit vector [dim] of one item."""
        vector: np.ndarray = self._index.reconstruct(position_of(id, self._positions))
        return vector

    def _candidates(self, queries: np.ndarray, k: int, only: Any) -> Iterator[np.ndarray]:
        """For each query, positions that surely hold its k best.

        faiss breaks ties by chance and its float32 sums depend on the batch, so when the k-th and the next score
        cannot be told apart, everything as good as the k-th is fetched.
        """
        scores, found = self._index.search(queries, min(k + 1, len(self.ids)), params=only)
        for row, query in enumerate(queries):
            positions = found[row][found[row] >= 0]
            if len(positions) > k and scores[row, k - 1] - scores[row, k] <= TOLERANCE:
                radius = float(scores[row, k - 1]) - TOLERANCE
                _, _, positions = self._index.range_search(query[None], radius, params=only)
                yield positions
            else:
                yield positions[:k]


def _only(allowed: np.ndarray | None) -> Any:
    """A mask over the items as faiss takes it."""
    if allowed is None:
        return None
    # The stubs of faiss describe the C++ calls, not the Python ones.
    return faiss.SearchParameters(sel=bitmap(allowed))  # type: ignore[call-arg]


def _read_record(folder: Path) -> dict[str, Any]:
    """`generation.json`, checked against its own digest."""
    if not (folder / RECORD).is_file():
        raise IntegrityError(f"{folder / RECORD} is missing: there is no generation here. Build it first.")
    return read_record(folder / RECORD)
