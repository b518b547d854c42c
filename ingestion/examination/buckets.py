"""A column's values as a few buckets, cut where the training rows say."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.examination.examined_table import ExaminedTable
from ingestion.examination.labels import encoded

MOST_VALUES = 256


def buckets(table: ExaminedTable, column: str, *, parts: int, fitted: np.ndarray) -> np.ndarray:
    """A bucket for each row. Numbers and times are cut at the quantiles of the rows in `fitted`; 0 is a missing value.

    A number with at most 256 values keeps them when `parts` is 0.
    """
    values = table.rows[column]
    if pa.types.is_string(values.type):
        return encoded(values).codes + 1
    if pa.types.is_timestamp(values.type):
        values = pc.cast(values, pa.int64())
    numbers = values.cast(pa.float64()).to_numpy()
    there = numbers[fitted & ~np.isnan(numbers)]
    distinct = np.unique(there)
    if not len(distinct):
        return np.where(np.isnan(numbers), 0, 1)
    edges = _edges(there, distinct, parts)
    return np.where(np.isnan(numbers), 0, np.searchsorted(edges, numbers, side="right") + 1)


def _edges(values: np.ndarray, distinct: np.ndarray, parts: int) -> np.ndarray:
    if len(distinct) <= (MOST_VALUES if parts == 0 else parts):
        return np.asarray((distinct[:-1] + distinct[1:]) / 2)
    shares = np.linspace(0, 1, (parts or MOST_VALUES) + 1)[1:-1]
    return np.asarray(np.unique(np.quantile(values, shares)))
