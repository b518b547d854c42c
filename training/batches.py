"""Which rows make a batch: shuffled anew each epoch, rows of like length together, the same under the same seed."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from polyloom.errors import RequestError

BUCKET_BATCHES = 50
Sampling = Literal["proportional", "equal"] | float


def mixed_batches(
    sets: Sequence[np.ndarray],
    *,
    sampling: Sampling,
    batch_size: int,
    seed: int,
    epoch: int,
    costs: np.ndarray | None = None,
) -> list[np.ndarray]:
    """The epoch's batches over several data sets, each batch of one set, in mixed order.

    `proportional` passes once over every set. `equal` draws as many batches from each, a number T as many as in
    proportion to rows ** (1 / T); the epoch stays as long, small sets are passed over several times and of large ones
    another part comes in each epoch.
    """
    if len(sets) == 1:
        return epoch_batches(sets[0], batch_size=batch_size, seed=seed, epoch=epoch, costs=costs)
    sizes = [len(split(rows, batch_size)) for rows in sets]
    wanted = sizes if sampling == "proportional" else drawn_batches(sizes, sampling)
    batches = [
        batch
        for number, (rows, count) in enumerate(zip(sets, wanted, strict=True))
        for batch in repeated(rows, count, batch_size=batch_size, seed=[seed, number], epoch=epoch, costs=costs)
    ]
    order = np.random.default_rng([seed, epoch, len(sets)]).permutation(len(batches))
    return [batches[place] for place in order]


def drawn_batches(sizes: Sequence[int], sampling: Sampling) -> list[int]:
    """How many batches each set gives; at least one each, as many in all as there are."""
    if isinstance(sampling, float | int) and sampling < 1:
        raise RequestError(
            f"recipe.sampling: {sampling} is not allowed; give 'proportional', 'equal' or a number from 1."
        )
    powers = np.array([1.0 if sampling == "equal" else size ** (1 / float(sampling)) for size in sizes])
    return [max(1, round(share)) for share in powers / powers.sum() * sum(sizes)]


def repeated(
    rows: np.ndarray, count: int, *, batch_size: int, seed: list[int], epoch: int, costs: np.ndarray | None
) -> list[np.ndarray]:
    """The next so many batches of a set: pass after pass, and each epoch goes on where the last one ended."""
    first, size = epoch * count, len(split(rows, batch_size))
    passes = range(first // size, -(-(first + count) // size))
    stream = [
        batch for number in passes for batch in shuffled(rows, batch_size=batch_size, seed=[*seed, number], costs=costs)
    ]
    return stream[first % size : first % size + count]


def epoch_batches(
    rows: np.ndarray, *, batch_size: int, seed: int, epoch: int, costs: np.ndarray | None = None
) -> list[np.ndarray]:
    """The epoch's batches of row numbers; `costs` [all rows] sorts each bucket of 50 batches by length."""
    return shuffled(rows, batch_size=batch_size, seed=[seed, epoch], costs=costs)


def shuffled(rows: np.ndarray, *, batch_size: int, seed: list[int], costs: np.ndarray | None) -> list[np.ndarray]:
    """One pass over the rows."""
    random = np.random.default_rng(seed)
    order = random.permutation(rows)
    if costs is None:
        return split(order, batch_size)
    bucket = batch_size * BUCKET_BATCHES
    batches = [
        batch
        for start in range(0, len(order), bucket)
        for batch in split(by_cost(order[start : start + bucket], costs), batch_size)
    ]
    return [batches[place] for place in random.permutation(len(batches))]


def ordered_batches(rows: np.ndarray, *, batch_size: int, costs: np.ndarray | None = None) -> list[np.ndarray]:
    """Batches for scoring: in order, or by length where that is given."""
    return split(rows if costs is None else by_cost(rows, costs), batch_size)


def by_cost(rows: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """Rows from cheap to dear; ties stay in order."""
    return rows[np.argsort(costs[rows], kind="stable")]


def split(rows: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Pieces of at most `batch_size`; a last piece of one row joins the one before, as batch norm needs two."""
    pieces = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    if len(pieces) > 1 and len(pieces[-1]) == 1:
        pieces[-2:] = [np.concatenate(pieces[-2:])]
    return pieces
