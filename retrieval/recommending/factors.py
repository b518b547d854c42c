"""Factors of users and items by alternating least squares over implicit feedback; a new history is folded in.

Source: Hu, Koren and Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008. The fit is
`implicit`'s; an answer needs the items' factors alone.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from retrieval.recommending.ease import graded
from retrieval.recommending.model import Reason, check_histories, ranked_reasons, read_model, write_model


@dataclass(frozen=True, eq=False)
class Factors:
    """`vectors` [items, factors]; an event of weight w has confidence `alpha * w**power`, all others 1."""

    vectors: np.ndarray
    regularisation: float
    alpha: float
    power: float

    kind: ClassVar[str] = "factors"

    @property
    def count(self) -> int:
        """How many items it scores."""
        return len(self.vectors)

    @cached_property
    def ground(self) -> np.ndarray:
        """Y'Y + λI [factors, factors]: what every user's equations share."""
        wide = np.asarray(self.vectors, np.float32)
        return np.asarray(wide.T @ wide, np.float64) + self.regularisation * np.eye(wide.shape[1])

    def scores(self, histories: sp.csr_matrix) -> np.ndarray:
        """The inner products of the folded-in users with all items; 0 for an empty history."""
        check_histories(histories, count=self.count)
        return np.asarray(self.users(histories) @ self.vectors.T)

    def users(self, histories: sp.csr_matrix) -> np.ndarray:
        """Factors [users, factors] of histories, one least-squares step with the items' factors as they are."""
        confidences = self._confidences(histories)
        found = np.zeros((histories.shape[0], self.vectors.shape[1]), np.float32)
        for user in range(len(found)):
            begin, end = confidences.indptr[user : user + 2]
            if end > begin:
                own, weights = self._own(confidences.indices[begin:end]), confidences.data[begin:end]
                found[user] = np.linalg.solve(self._equations(own, weights), weights @ own)
        return found

    def reasons(self, history: sp.csr_matrix, item: int) -> list[Reason]:
        """A score is a sum over the history, of confidence times y_item' A⁻¹ y_j (section 5 of the source)."""
        if not history.nnz:
            return []
        confidences = self.alpha * history.data.astype(np.float64) ** self.power
        own = self._own(history.indices)
        seen_from = np.linalg.solve(self._equations(own, confidences), self._own(np.array([item]))[0])
        return ranked_reasons(history.indices, confidences * (own @ seen_from))

    def looks(self, items: np.ndarray) -> np.ndarray | None:
        """The items' factors."""
        return np.asarray(self.vectors[items])

    def save(self, folder: Path) -> None:
        """Write it into a folder."""
        settings = {"regularisation": self.regularisation, "alpha": self.alpha, "power": self.power}
        write_model(folder, kind=self.kind, settings=settings, arrays={"vectors": self.vectors})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote."""
        settings, arrays = read_model(folder, kind=cls.kind)
        return cls(arrays["vectors"], **settings)

    def _confidences(self, histories: sp.csr_matrix) -> sp.csr_matrix:
        found = graded(histories, power=self.power).astype(np.float64)
        found.data *= self.alpha
        return found

    def _own(self, items: np.ndarray) -> np.ndarray:
        return np.asarray(self.vectors[items], np.float64)

    def _equations(self, own: np.ndarray, confidences: np.ndarray) -> np.ndarray:
        """Y'Y + Y'(C - I)Y + λI of one user."""
        return np.asarray(self.ground + (own.T * (confidences - 1)) @ own)


def fit_factors(
    histories: sp.csr_matrix,
    *,
    factors: int = 64,
    regularisation: float = 40.0,
    alpha: float = 2.0,
    power: float = 1.0,
    iterations: int = 15,
    seed: int = 7,
    threads: int = 1,
) -> Factors:
    """From histories [users, items]; one seed and one thread give the same factors."""
    settings = {"regularisation": regularisation, "alpha": alpha, "power": power}
    if not histories.nnz:
        return Factors(np.zeros((histories.shape[1], factors), np.float32), **settings)
    from implicit.als import AlternatingLeastSquares  # type: ignore[import-untyped]
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    # It has threads of its own, which those of the linear algebra would only hinder.
    with threadpool_limits(limits=1, user_api="blas"):
        fit = AlternatingLeastSquares(
            factors=factors,
            regularization=regularisation,
            alpha=alpha,
            iterations=iterations,
            random_state=seed,
            num_threads=threads,
        )
        fit.fit(graded(histories, power=power), show_progress=False)
    return Factors(np.ascontiguousarray(fit.item_factors, np.float32), **settings)
