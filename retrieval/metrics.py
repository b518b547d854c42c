"""How near two vectors are, by the three usual measures; a higher score is always nearer."""

from collections.abc import Callable
from typing import Literal

import faiss
import numpy as np

from polyloom.errors import DataError, PolyloomError, RequestError
from retrieval.vectors import DECIMALS, check_dim, query_name, real_vectors, unit_vectors

Metric = Literal["cosine", "inner_product", "l2"]
METRICS: tuple[Metric, ...] = ("cosine", "inner_product", "l2")


def stored(vectors: np.ndarray, *, metric: Metric, name: Callable[[int], str]) -> np.ndarray:
    """`vectors` [rows, dim] as an index keeps them, float32; at length one where only the direction counts.

    Raises: DataError for a vector that is NaN or infinite, and for one without a direction where that counts.
    """
    return prepared(vectors, metric=metric, name=name, error=DataError)


def asked(vectors: np.ndarray, *, metric: Metric, dim: int) -> np.ndarray:
    """Queries as `stored` keeps vectors. Raises: RequestError as it does, and for another dim."""
    queries = prepared(vectors, metric=metric, name=query_name, error=RequestError)
    check_dim(queries, dim=dim)
    return queries


def prepared(
    vectors: np.ndarray, *, metric: Metric, name: Callable[[int], str], error: type[PolyloomError]
) -> np.ndarray:
    """Checked vectors; of no length at all is only an error where the direction counts."""
    if metric == "cosine":
        return unit_vectors(vectors, name=name, error=error)
    return real_vectors(vectors, name=name, error=error).astype(np.float32, copy=False)


def scores(query: np.ndarray, rows: np.ndarray, *, metric: Metric) -> np.ndarray:
    """How near each of `rows` [rows, dim] is to `query` [dim], float64 [rows], rounded to six decimals.

    The cosine, the inner product, or the squared distance with its sign turned. Summing in float64 and rounding makes
    a score independent of how the rows were batched.
    """
    wide, one = rows.astype(np.float64), query.astype(np.float64)
    found = -np.square(wide - one).sum(axis=1) if metric == "l2" else wide @ one
    return np.asarray(np.round(found, DECIMALS) + 0.0)


def faiss_metric(metric: Metric) -> int:
    """The number by which faiss calls a measure."""
    return faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT
