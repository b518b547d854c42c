"""Checks and arithmetic that every index shares, so that all of them refuse and rank alike."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from polyloom.errors import DataError, PolyloomError, RequestError

DECIMALS = 6


def unit_vectors(vectors: np.ndarray, *, name: Callable[[int], str], error: type[PolyloomError]) -> np.ndarray:
    """`vectors` [rows, dim] at length one, as float32; `name(row)` is how a message calls a row.

    Raises: `error` for another shape, for numbers that are not real, and for a row without a direction.
    """
    vectors = real_vectors(vectors, name=name, error=error)
    lengths = np.sqrt(squares(vectors))
    refuse(lengths == 0, "is all zeros", name=name, error=error)
    unit = np.empty(vectors.shape, np.float32)
    np.divide(vectors, lengths[:, None], out=unit, casting="same_kind")
    return unit


def real_vectors(vectors: np.ndarray, *, name: Callable[[int], str], error: type[PolyloomError]) -> np.ndarray:
    """`vectors` [rows, dim] as they are. Raises: `error` for another shape, and for numbers that are not real."""
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or vectors.shape[1] == 0 or vectors.dtype.kind not in "fiu":
        raise error(f"Vectors must be real numbers [rows, dim]; got {vectors.dtype} {list(vectors.shape)}.")
    refuse(~np.isfinite(squares(vectors)), "holds NaN or an infinite value", name=name, error=error)
    return vectors


def squares(vectors: np.ndarray) -> np.ndarray:
    """Each row's squared length, float64 [rows]."""
    return np.asarray(np.einsum("rd,rd->r", vectors, vectors, dtype=np.float64, casting="unsafe"))


def refuse(bad: np.ndarray, problem: str, *, name: Callable[[int], str], error: type[PolyloomError]) -> None:
    """Raises: `error` that names the first of the rows that are `bad`, if any is."""
    if bad.any():
        row = int(bad.argmax())
        raise error(
            f"The vector of {name(row)} {problem} ({int(bad.sum())} of {len(bad)} do); "
            "a direction is needed to compare it. Leave such rows out."
        )


def unit_queries(vectors: np.ndarray, *, dim: int) -> np.ndarray:
    """Queries at length one. Raises: RequestError for what `unit_vectors` refuses, and for another dim."""
    queries = unit_vectors(vectors, name=query_name, error=RequestError)
    check_dim(queries, dim=dim)
    return queries


def query_name(row: int) -> str:
    """How a message calls a query."""
    return f"query {row}"


def check_dim(queries: np.ndarray, *, dim: int) -> None:
    """Raises: RequestError for queries of another dim."""
    if queries.shape[1] != dim:
        raise RequestError(
            f"The query has {queries.shape[1]} dimensions, the index {dim}. Encode it with the index's own encoder."
        )


def unique_ids(ids: Sequence[str], *, count: int) -> list[str]:
    """The ids as a list. Raises: DataError unless they are `count` different strings."""
    if len(ids) != count:
        raise DataError(f"There are {len(ids)} ids for {count} vectors; each vector needs one id.")
    odd = next((id_ for id_ in ids if not isinstance(id_, str)), None)
    if odd is not None:
        raise DataError(f"The id {odd!r} is of type {type(odd).__name__}; ids are strings.")
    twice = [id_ for id_, times in Counter(ids).items() if times > 1]
    if twice:
        raise DataError(f"{len(twice)} ids stand more than once, {twice[0]!r} among them; keep one vector an id.")
    return list(ids)


def check_request(k: int, allowed: np.ndarray | None, *, count: int) -> None:
    """Raises: RequestError unless k is at least 1 and `allowed` is bool [count]."""
    if k < 1:
        raise RequestError(f"k is {k}; ask for at least 1 neighbour.")
    if allowed is not None and (allowed.dtype != np.bool_ or allowed.shape != (count,)):
        raise RequestError(
            f"The mask of allowed items is {allowed.dtype} {list(allowed.shape)}; it must be bool [{count}]."
        )


def best(query: np.ndarray, rows: np.ndarray, positions: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions and scores of the k best among `rows` [candidates, dim], equal scores in the order of `positions`.

    Summing in float64 and rounding makes a score independent of how the candidates were batched.
    """
    scores = np.round(rows.astype(np.float64) @ query.astype(np.float64), DECIMALS) + 0.0
    order = np.lexsort((positions, -scores))[:k]
    return positions[order], scores[order]


def position_of(id_: str, positions: dict[str, int]) -> int:
    """Where an item stands. Raises: RequestError when there is no such item."""
    if id_ not in positions:
        raise missing_item(id_, count=len(positions), example=next(iter(positions), None))
    return positions[id_]


def missing_item(id_: str, *, count: int, example: str | None) -> RequestError:
    """The error for an item that is not there."""
    told = "" if example is None else f", such as {example!r}"
    return RequestError(f"No item has the id {id_!r}. The index holds {count} items{told}.")
