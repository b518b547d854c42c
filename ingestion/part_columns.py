"""Columns of a table's parts, end to end: read once, by threads, and no sooner than somebody asks."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from ingestion.part_making import THREADS
from ingestion.parts import Part, PartStore

# Of more than a quarter of the parts all are read, and kept for the next question.
FEW = 4


class PartColumns:
    """The kept rows of the parts, one part behind the other: row `starts[i]` is the first one of part i."""

    def __init__(self, store: PartStore, parts: Sequence[Part]) -> None:
        self.store = store
        self.parts = parts
        self.starts = np.concatenate([[0], np.cumsum([part.rows for part in parts], dtype=np.int64)])
        self._columns: dict[str, pa.Array] = {}

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self.starts[-1])

    def load(self, names: Sequence[str]) -> None:
        """Read columns that will be asked for, all at once."""
        missing = [name for name in dict.fromkeys(names) if name not in self._columns]
        if not missing:
            return
        with ThreadPoolExecutor(max_workers=THREADS) as pool:
            pieces = list(pool.map(lambda part: self.store.kept(part, missing), self.parts))
        for name in missing:
            chunks = [chunk for piece in pieces for chunk in piece[name].chunks]
            self._columns[name] = _one_array(pa.chunked_array(chunks, pieces[0][name].type))

    def column(self, name: str) -> pa.Array:
        """A column of all rows."""
        self.load([name])
        return self._columns[name]

    def at(self, name: str, positions: np.ndarray) -> pa.Array:
        """A column's values in some rows, whose parts alone are read where they are few."""
        numbers = np.searchsorted(self.starts, positions, side="right") - 1
        touched = np.unique(numbers)
        if name in self._columns or len(touched) > len(self.parts) // FEW:
            return self.column(name).take(pa.array(positions))
        columns = pa.chunked_array([self.of_part(number, [name])[name] for number in touched.tolist()])
        starts = np.cumsum([0, *(self.parts[number].rows for number in touched.tolist())])[:-1]
        places = positions - self.starts[numbers] + starts[np.searchsorted(touched, numbers)]
        return _one_array(columns.take(pa.array(places)))

    def of_part(self, number: int, names: Sequence[str]) -> dict[str, pa.Array]:
        """Columns of one part alone, from what was read where that is there."""
        start, rows = int(self.starts[number]), self.parts[number].rows
        found = {name: self._columns[name].slice(start, rows) for name in names if name in self._columns}
        missing = [name for name in dict.fromkeys(names) if name not in found]
        if missing:
            table = self.store.kept(self.parts[number], missing)
            found |= {name: _one_array(table[name]) for name in missing}
        return found


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined
