"""The served form of a two-tower model that was fitted elsewhere: item vectors, and a history pooled over its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from polyloom.errors import DataError
from retrieval.recommending.model import Reason, check_histories, ranked_reasons, read_model, write_model


@dataclass(frozen=True, eq=False)
class Vectors:
    """`pooled` [items, dim] are averaged over a history, by weight; `offered` [items, dim] are multiplied with that.

    With `unit` the average is brought to length one, as towers do that learn by cosines.
    """

    pooled: np.ndarray
    offered: np.ndarray
    unit: bool = False

    kind: ClassVar[str] = "towers"

    def __post_init__(self) -> None:
        if self.pooled.shape != self.offered.shape or self.offered.ndim != 2:
            raise DataError(
                f"Vectors that are pooled and that are offered must both be [items, dim]; got "
                f"{list(self.pooled.shape)} and {list(self.offered.shape)}. Export both towers over the same items."
            )

    @property
    def count(self) -> int:
        """How many items it scores."""
        return len(self.offered)

    def scores(self, histories: sp.csr_matrix) -> np.ndarray:
        """The inner products; 0 for an empty history."""
        check_histories(histories, count=self.count)
        totals = np.asarray(histories.sum(axis=1), np.float32).reshape(-1, 1)
        users = (histories @ self.pooled) / np.where(totals > 0, totals, 1.0)
        if self.unit:
            lengths = np.linalg.norm(users, axis=1, keepdims=True)
            users = users / np.where(lengths > 0, lengths, 1.0)
        return np.asarray(users @ self.offered.T, np.float32)

    def reasons(self, history: sp.csr_matrix, item: int) -> list[Reason]:
        """What each item in the history adds to the inner product."""
        worth = history.data * (self.pooled[history.indices] @ self.offered[item])
        return ranked_reasons(history.indices, worth)

    def looks(self, items: np.ndarray) -> np.ndarray | None:
        """The vectors that are offered."""
        return np.asarray(self.offered[items])

    def save(self, folder: Path) -> None:
        """Write it into a folder."""
        arrays = {"pooled": self.pooled, "offered": self.offered}
        write_model(folder, kind=self.kind, settings={"unit": self.unit}, arrays=arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote."""
        settings, arrays = read_model(folder, kind=cls.kind)
        return cls(arrays["pooled"], arrays["offered"], unit=settings["unit"])
