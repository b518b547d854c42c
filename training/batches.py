"""Which rows make a batch: shuffled anew each epoch, rows of like length together, the same under the same seed."""

import numpy as np

BUCKET_BATCHES = 50


def epoch_batches(
    rows: np.ndarray, *, batch_size: int, seed: int, epoch: int, costs: np.ndarray | None = None
) -> list[np.ndarray]:
    """The epoch's batches of row numbers; `costs` [all rows] sorts each bucket of 50 batches by length."""
    random = np.random.default_rng([seed, epoch])
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
