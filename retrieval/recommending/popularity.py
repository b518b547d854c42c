"""What most people take: the same for everyone, and all there is to say to a new one."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from retrieval.recommending.model import Reason, check_histories, read_model, write_model


@dataclass(frozen=True, eq=False)
class Popularity:
    """`counts` [items], how many users took each item; scores are log(1 + count)."""

    counts: np.ndarray

    kind: ClassVar[str] = "popularity"

    @property
    def count(self) -> int:
        """How many items it scores."""
        return len(self.counts)

    def scores(self, histories: sp.csr_matrix) -> np.ndarray:
        """The same row for each history."""
        check_histories(histories, count=self.count)
        return np.tile(self._levels, (histories.shape[0], 1))

    def reasons(self, history: sp.csr_matrix, item: int) -> list[Reason]:  # noqa: ARG002
        """None: nobody's history matters here."""
        return []

    def looks(self, items: np.ndarray) -> np.ndarray | None:  # noqa: ARG002
        """None."""
        return None

    def save(self, folder: Path) -> None:
        """Write it into a folder."""
        write_model(folder, kind=self.kind, settings={}, arrays={"counts": self.counts})

    @cached_property
    def _levels(self) -> np.ndarray:
        """One row of scores."""
        return np.asarray(np.log1p(self.counts), np.float32)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote."""
        _, arrays = read_model(folder, kind=cls.kind)
        return cls(arrays["counts"])


def fit_popularity(histories: sp.csr_matrix) -> Popularity:
    """From the histories [users, items] of all users."""
    return Popularity(np.asarray((histories > 0).sum(axis=0)).ravel().astype(np.float32))
