"""Items that the same people take: cosines between items, of which each keeps its nearest."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from retrieval.recommending.arrays import sparse_arrays, sparse_of
from retrieval.recommending.ease import graded
from retrieval.recommending.model import Reason, check_histories, ranked_reasons, read_model, write_model

# So many items' cosines to all others are held at once, sparse.
ROWS_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class Neighbours:
    """`links` [items, items] sparse: what one item in a history adds to another, its shrunken cosine."""

    links: sp.csr_matrix
    power: float

    kind: ClassVar[str] = "neighbours"

    @property
    def count(self) -> int:
        """How many items it scores."""
        return int(self.links.shape[1])

    def scores(self, histories: sp.csr_matrix) -> np.ndarray:
        """The sum over the history."""
        check_histories(histories, count=self.count)
        return np.asarray((graded(histories, power=self.power) @ self.links).toarray(), np.float32)

    def reasons(self, history: sp.csr_matrix, item: int) -> list[Reason]:
        """What each item in the history adds."""
        links = np.array([self._link(other, item) for other in history.indices])
        return ranked_reasons(history.indices, links * history.data**self.power)

    def _link(self, one: int, other: int) -> float:
        """What one item adds to another. Read from the arrays, as slicing a sparse matrix takes ten times as long."""
        begin, end = self.links.indptr[one : one + 2]
        place = np.flatnonzero(self.links.indices[begin:end] == other)
        return float(self.links.data[begin + place[0]]) if len(place) else 0.0

    def looks(self, items: np.ndarray) -> np.ndarray | None:  # noqa: ARG002
        """None."""
        return None

    def save(self, folder: Path) -> None:
        """Write it into a folder."""
        write_model(
            folder, kind=self.kind, settings={"power": self.power}, arrays=sparse_arrays(self.links, name="links")
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote."""
        settings, arrays = read_model(folder, kind=cls.kind)
        return cls(sparse_of(arrays, name="links"), power=settings["power"])


def fit_neighbours(
    histories: sp.csr_matrix, *, most: int = 200, shrinkage: float = 10.0, power: float = 0.0
) -> Neighbours:
    """From histories [users, items], weights raised to `power`; of each item its `most` nearest are kept.

    The cosine is x·y / (|x||y| + shrinkage), which trusts what few people took together less.
    """
    columns = graded(histories, power=power).T.tocsr()
    lengths = np.sqrt(np.asarray(columns.multiply(columns).sum(axis=1)).ravel())
    kept = [
        _nearest(columns, lengths, begin=begin, most=most, shrinkage=shrinkage)
        for begin in range(0, columns.shape[0], ROWS_AT_ONCE)
    ]
    nearest = sp.vstack(kept, format="csr") if kept else sp.csr_matrix((0, 0), dtype=np.float32)
    return Neighbours(nearest.T.tocsr().astype(np.float32), power=power)


def _nearest(columns: sp.csr_matrix, lengths: np.ndarray, *, begin: int, most: int, shrinkage: float) -> sp.csr_matrix:
    """The rows from `begin` on of the shrunken cosines [rows, items], the nearest alone."""
    rows = columns[begin : begin + ROWS_AT_ONCE]
    found = (rows @ columns.T).tocoo()
    cosines = found.data / (lengths[begin + found.row] * lengths[found.col] + shrinkage)
    apart = found.row + begin != found.col
    row, column, cosines = found.row[apart], found.col[apart], cosines[apart]
    order = np.lexsort((column, -cosines, row))
    row, column, cosines = row[order], column[order], cosines[order]
    begins = np.searchsorted(row, np.arange(rows.shape[0]))
    near = np.arange(len(row)) - begins[row] < most
    return sp.csr_matrix((cosines[near], (row[near], column[near])), shape=found.shape)
