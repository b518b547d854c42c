"""A table's target as classes, one number a row."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.examination.examined_table import ExaminedTable

MOST_NUMBERS = 50
TENTHS = 10


@dataclass(frozen=True, kw_only=True)
class Classes:
    """`codes` are positions in `names`, -1 where a row has no label. `cut`: a number, cut into tenths by its size."""

    codes: np.ndarray
    names: tuple[str, ...]
    cut: bool = False


def classes_of(table: ExaminedTable, column: str) -> Classes | None:
    """The classes of a column; None for a kind that has none. A row's set of labels counts as one class."""
    kind = table.kinds[column]
    if kind == "category":
        return encoded(table.rows[column])
    if kind == "labels":
        return encoded(pc.binary_join(table.rows[column], "|"))
    if kind == "number":
        values = table.rows[column]
        few = pc.count_distinct(pc.drop_null(values)).as_py() <= MOST_NUMBERS
        return encoded(values.cast(pa.string())) if few else _tenths(values.to_numpy())
    return None


def encoded(values: pa.ChunkedArray | pa.Array) -> Classes:
    """Strings as classes, their names in order."""
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    dictionary = whole.dictionary_encode()
    dictionary = dictionary.combine_chunks() if isinstance(dictionary, pa.ChunkedArray) else dictionary
    names = [str(name) for name in dictionary.dictionary.to_pylist()]
    codes = pc.fill_null(dictionary.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names) + 1, np.int64)
    rank[order], rank[-1] = np.arange(len(names)), -1
    return Classes(codes=rank[codes], names=tuple(names[position] for position in order))


def _tenths(values: np.ndarray) -> Classes:
    edges = np.unique(np.nanquantile(values, np.linspace(0, 1, TENTHS + 1)[1:-1]))
    codes = np.where(np.isnan(values), -1, np.searchsorted(edges, values))
    names = [f"up to {edge:g}" for edge in edges]
    return Classes(codes=codes, names=(*names, f"above {edges[-1]:g}"), cut=True)
