"""The vectors of one field of a segment: all of them as they are, memory-mapped, and for many an approximate index."""

import os
import weakref
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import numpy as np

from retrieval.kinds import Kind, Reach, build_near, parameters, promising
from retrieval.metrics import Metric, faiss_metric, scores
from retrieval.selection import Selection

EXACT, NEAR, PRESENT = ".exact.faiss", ".near.faiss", ".present.npy"
# Above what float32 sums may be wrong by, relative to the score, and what rounding may move.
TOLERANCE = 2e-5
# So many allowed items are compared one by one, whatever the kind.
FEW = 2_000
# So many vectors are read from the file: what is mapped for them would count as memory in use, 64 KiB each.
READ_ONE_BY_ONE = 256


class Near(NamedTuple):
    """Places of items, best first, and their scores, float64."""

    places: np.ndarray
    scores: np.ndarray


class Mapped:
    """The vectors of a flat faiss index as an array, which keeps the index open for as long as it is there itself."""

    def __init__(self, index: Any) -> None:
        self.index = index
        flat = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d)
        address = flat.__array_interface__["data"][0]
        self.__array_interface__ = {
            "shape": (index.ntotal, index.d),
            "typestr": "<f4",
            "data": (address, True),
            "version": 3,
        }


class VectorFile:
    """The vectors at the end of a flat faiss index's file, read one by one, so that no memory is mapped for them."""

    def __init__(self, path: Path, *, count: int, dim: int) -> None:
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)
        self._dim = dim
        self._begin = os.fstat(self._file).st_size - count * dim * 4

    def at(self, places: np.ndarray) -> np.ndarray:
        """The vectors at these places [places, dim]."""
        found = np.empty((len(places), self._dim), np.float32)
        for row, place in enumerate(places.tolist()):
            os.preadv(self._file, [found[row]], self._begin + place * self._dim * 4)
        return found


class SegmentVectors:
    """Vectors at the places 0, 1, ...; `present` marks those that are there, None for all."""

    def __init__(
        self,
        *,
        exact: Any,
        near: Any | None,
        present: np.ndarray | None,
        metric: Metric,
        rows: "VectorFile | None" = None,
    ) -> None:
        self.present = present
        self.metric: Metric = metric
        self._exact = exact
        self._near = near
        self._rows = rows

    def __len__(self) -> int:
        return int(self._exact.ntotal)

    @property
    def is_approximate(self) -> bool:
        """Whether there is an approximate index beside the vectors."""
        return self._near is not None

    def at(self, places: np.ndarray) -> np.ndarray:
        """The vectors at these places [places, dim]."""
        if len(places) <= READ_ONE_BY_ONE and self._rows is not None:
            return self._rows.at(places)
        found: np.ndarray = self._exact.reconstruct_batch(places)
        return found

    @cached_property
    def all(self) -> np.ndarray:
        """All vectors [items, dim], memory-mapped, read only."""
        return np.asarray(Mapped(self._exact))

    def exact(self, queries: np.ndarray, k: int, *, allowed: Selection | None) -> list[Near]:
        """For each query the k nearest of all allowed items, none overlooked; equal scores in the order of places."""
        if allowed is not None and allowed.count <= max(FEW, k):
            return [self._best(query, self._promising(query, allowed.places, k), k) for query in queries]
        candidates = self._surely(queries, k, selector=None if allowed is None else allowed.selector)
        return [self._best(query, places, k) for query, places in zip(queries, candidates, strict=True)]

    def nearest(self, queries: np.ndarray, k: int, *, allowed: Selection | None, reach: Reach) -> list[Near]:
        """For each query the k nearest allowed items, of which an approximate kind may overlook some."""
        if self._near is None or (allowed is not None and allowed.count <= FEW):
            return self.exact(queries, k, allowed=allowed)
        selector, share = (None, 1.0) if allowed is None else (allowed.selector, allowed.count / len(self))
        how = parameters(self._near, reach, selector=selector, share=share)
        _, found = self._near.search(queries, min(len(self), promising(self._near, k)), params=how)
        return [self._best(query, places[places >= 0], k) for query, places in zip(queries, found, strict=True)]

    def _best(self, query: np.ndarray, places: np.ndarray, k: int) -> Near:
        """The k best of these places by their exact scores."""
        near = scores(query, self.at(places), metric=self.metric)
        order = np.lexsort((places, -near))[:k]
        return Near(places[order], near[order])

    def _promising(self, query: np.ndarray, places: np.ndarray, k: int) -> np.ndarray:
        """Those of the places that may be among the k best, by float32 sums."""
        if len(places) <= 4 * k:
            return places
        rows = self.all[places]
        near = -np.square(rows - query).sum(axis=1) if self.metric == "l2" else rows @ query
        least = float(np.partition(near, -k)[-k])
        return np.asarray(places[near >= least - slack(least)])

    def _surely(self, queries: np.ndarray, k: int, *, selector: Any) -> Sequence[np.ndarray]:
        """For each query, places that surely hold its k best.

        faiss breaks ties by chance and its float32 sums depend on the batch, so when the k-th and the next score
        cannot be told apart, everything as good as the k-th is fetched.
        """
        only = None if selector is None else faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        near, found = self._exact.search(queries, min(k + 1, len(self)), params=only)
        result = []
        for row, query in enumerate(queries):
            places = found[row][found[row] >= 0]
            if len(places) > k and abs(float(near[row, k - 1]) - float(near[row, k])) <= slack(float(near[row, k - 1])):
                last = float(near[row, k - 1])
                radius = last + slack(last) if self.metric == "l2" else last - slack(last)
                _, _, places = self._exact.range_search(query[None], radius, params=only)
            elif len(places) > k:
                places = places[:k]
            result.append(np.asarray(places))
        return result


def slack(score: float) -> float:
    """How far a float32 score may be off."""
    return TOLERANCE * max(1.0, abs(score))


def write_vectors(
    folder: Path, name: str, vectors: np.ndarray, *, present: np.ndarray | None, metric: Metric, kind: Kind
) -> None:
    """Write checked `vectors` [items, dim], float32, as the field `name` of the segment in `folder`."""
    flat = faiss.IndexFlat(vectors.shape[1], faiss_metric(metric))
    flat.add(vectors)
    faiss.write_index(flat, str(folder / f"{name}{EXACT}"))
    del flat
    if kind != "flat":
        faiss.write_index(build_near(kind, vectors, metric=metric), str(folder / f"{name}{NEAR}"))
    if present is not None:
        np.save(folder / f"{name}{PRESENT}", present, allow_pickle=False)


def open_vectors(folder: Path, name: str, *, metric: Metric) -> SegmentVectors:
    """What `write_vectors` left."""
    near, present = folder / f"{name}{NEAR}", folder / f"{name}{PRESENT}"
    exact = mapped(folder / f"{name}{EXACT}")
    return SegmentVectors(
        exact=exact,
        near=mapped(near) if near.is_file() else None,
        present=np.load(present) if present.is_file() else None,
        metric=metric,
        rows=VectorFile(folder / f"{name}{EXACT}", count=exact.ntotal, dim=exact.d) if near.is_file() else None,
    )


def mapped(path: Path) -> Any:
    """A faiss index on disk, read where it is asked."""
    return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
