"""Kinds of index: which one suits how many vectors, how each is built, and how far each looks."""

from dataclasses import dataclass
from typing import Any, Literal

import faiss
import numpy as np

from retrieval.metrics import Metric, faiss_metric

Kind = Literal["flat", "ivf_flat", "ivf_sq8", "ivf_pq", "hnsw"]
KINDS: tuple[Kind, ...] = ("flat", "ivf_flat", "ivf_sq8", "ivf_pq", "hnsw")

# Below this an exact search takes some ten milliseconds at 384 dimensions, and nothing needs to be trained.
EXACT_VECTORS = 50_000
LINKS, BUILD_BREADTH, BREADTH = 32, 80, 96
TRAINED_PER_LIST = 40
BITS = 8


@dataclass(frozen=True)
class Reach:
    """How far an approximate search looks: lists of an inverted file, or candidates in a graph."""

    lists: int = 64
    breadth: int = BREADTH


def choose_kind(*, count: int, dim: int, memory: int | None = None, removed_share: float = 0.0) -> Kind:
    """The kind for `count` vectors of which `removed_share` of each generation is soon removed again.

    `memory` is how many bytes the index may take; None for a quarter of what the vectors take. Few vectors are
    searched exactly. A graph is fastest where all the memory is there and next to nothing is removed, for removed
    items stay in it as steps; inverted lists lose no speed to them.
    """
    size = count * dim * 4
    allowed = size // 4 + 1 if memory is None else memory
    if count <= EXACT_VECTORS:
        return "flat"
    if size + count * LINKS * 2 * 4 <= allowed and removed_share < 0.05:
        return "hnsw"
    if size <= allowed:
        return "ivf_flat"
    return "ivf_sq8" if size // 4 <= allowed else "ivf_pq"


def build_near(kind: Kind, vectors: np.ndarray, *, metric: Metric) -> Any:
    """An approximate faiss index over `vectors` [rows, dim], in their order; it learns from the same rows always."""
    count, dim = vectors.shape
    measure = faiss_metric(metric)
    index: Any
    if kind == "hnsw":
        index = faiss.IndexHNSWFlat(dim, LINKS, measure)
        index.hnsw.efConstruction = BUILD_BREADTH
        index.add(vectors)
        return index
    lists = list_count(count)
    coarse = faiss.IndexFlat(dim, measure)
    if kind == "ivf_flat":
        index = faiss.IndexIVFFlat(coarse, dim, lists, measure)
    elif kind == "ivf_sq8":
        index = faiss.IndexIVFScalarQuantizer(coarse, dim, lists, faiss.ScalarQuantizer.QT_8bit, measure)
    else:
        index = faiss.IndexIVFPQ(coarse, dim, lists, parts(dim), BITS, measure)
    index.cp.seed = 1
    index.train(training_rows(vectors, lists))
    index.add(vectors)
    return index


def list_count(count: int) -> int:
    """How many lists: some four times the root of `count`, and no more than can be trained."""
    return int(max(1, min(2 ** round(np.log2(4 * np.sqrt(max(count, 1)))), count // TRAINED_PER_LIST)))


def parts(dim: int) -> int:
    """Into how many parts a product quantiser cuts a vector: of four numbers each, where they divide it."""
    return next(dim // size for size in (4, 3, 2, 1) if dim % size == 0)


def training_rows(vectors: np.ndarray, lists: int) -> np.ndarray:
    """A sample of the rows that is large enough for the lists and for the quantiser."""
    wanted = max(TRAINED_PER_LIST * lists, TRAINED_PER_LIST * 2**BITS)
    if len(vectors) <= wanted:
        return vectors
    chosen = np.random.default_rng(1).choice(len(vectors), size=wanted, replace=False)
    sample: np.ndarray = vectors[np.sort(chosen)]
    return sample


def promising(index: Any, k: int) -> int:
    """How many candidates are scored again for k hits: the coarser an index counts, the more."""
    return max(10 * k, 100) if isinstance(index, faiss.IndexIVFPQ) else k + max(k, 10)


def parameters(index: Any, reach: Reach, *, selector: Any, share: float = 1.0) -> Any:
    """What faiss is told of one search: how far it looks, wider where only a `share` of the items may be found."""
    wider = 1.0 / max(share, 1e-6)
    # What is allowed lies near the query as densely as the rest: fewer lists than in proportion hold as many of it.
    wider_lists = wider**0.4
    if isinstance(index, faiss.IndexHNSW):
        # The stubs of faiss describe the C++ names and calls, not the Python ones.
        breadth = int(min(reach.breadth * wider, 4096))
        return faiss.SearchParametersHNSW(efSearch=breadth, sel=selector)  # type: ignore[attr-defined]
    lists = int(min(max(1, round(reach.lists * wider_lists)), index.nlist))
    return faiss.SearchParametersIVF(nprobe=lists, sel=selector)  # type: ignore[call-arg]
