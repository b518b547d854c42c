"""EASE^R: the linear model of items by items whose diagonal is zero, in closed form; or a diagonal that is freer.

Sources: Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019; Moon, Kim and Lee, "It's enough:
relaxing diagonal constraints in linear autoencoders for recommendation", SIGIR 2023.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from retrieval.recommending.model import Reason, check_histories, ranked_reasons, read_model, write_model

# Dense [items, items] takes 256 MB at this many; the inversion three times twice that.
MOST = 8_000


@dataclass(frozen=True, eq=False)
class Ease:
    """`links` [taking part, taking part], what one item in a history adds to another; `items` are their numbers."""

    items: np.ndarray
    links: np.ndarray
    count: int
    power: float

    kind: ClassVar[str] = "ease"

    def scores(self, histories: sp.csr_matrix) -> np.ndarray:
        """Items that take no part have 0."""
        check_histories(histories, count=self.count)
        found = np.zeros(histories.shape, np.float32)
        found[:, self.items] = graded(histories, power=self.power)[:, self.items] @ self.links
        return found

    def reasons(self, history: sp.csr_matrix, item: int) -> list[Reason]:
        """What each item in the history adds."""
        place = np.flatnonzero(self.items == item)
        if not len(place):
            return []
        known = np.isin(history.indices, self.items)
        items, weights = history.indices[known], history.data[known] ** self.power
        return ranked_reasons(items, weights * self.links[np.searchsorted(self.items, items), place[0]])

    def looks(self, items: np.ndarray) -> np.ndarray | None:  # noqa: ARG002
        """None."""
        return None

    def save(self, folder: Path) -> None:
        """Write it into a folder."""
        settings = {"count": self.count, "power": self.power}
        write_model(folder, kind=self.kind, settings=settings, arrays={"items": self.items, "links": self.links})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote."""
        settings, arrays = read_model(folder, kind=cls.kind)
        return cls(arrays["items"], arrays["links"], count=settings["count"], power=settings["power"])


def fit_ease(
    histories: sp.csr_matrix,
    *,
    regularisation: float = 300.0,
    power: float = 0.5,
    users_damped: float = 0.0,
    items_damped: float = 0.0,
    constrained: float = 1.0,
    most: int = MOST,
) -> Ease:
    """From histories [users, items]; `regularisation` is in units of the mean squared weight.

    Weights are raised to `power`. With `users_damped` a user counts less the longer the history is, as its length to
    minus that; with `items_damped` likewise an item, undone in the links. At most the `most` popular items take part.
    `constrained` 1 is EASE's zero diagonal; 0 is a ridge regression, which ranks what is not in a history as the same
    constraint over users would.
    """
    taken = np.asarray((histories > 0).sum(axis=0)).ravel()
    order = np.argsort(-taken, kind="stable")[:most]
    items = np.sort(order[taken[order] > 0])
    weights = graded(histories, power=power)[:, items]
    lengths = np.maximum(np.asarray((weights > 0).sum(axis=1)).ravel(), 1.0)
    scale = taken[items].astype(np.float64) ** items_damped
    weights = sp.diags(lengths**-users_damped) @ weights @ sp.diags(1 / scale)
    links = (
        closed_form(weights, regularisation=regularisation, constrained=constrained) / scale[:, None] * scale[None, :]
    )
    return Ease(items, links.astype(np.float32), count=histories.shape[1], power=power)


def closed_form(weights: sp.csr_matrix, *, regularisation: float, constrained: float = 1.0) -> np.ndarray:
    """The B [items, items] of zero diagonal that minimises |X - XB|² + regularisation * mean(x²) * |B|².

    It is -P_ij / P_jj, P the inverse of the penalised Gram matrix; with `constrained` 0 P_jj is left out, which without
    the diagonal is the unconstrained B over the penalty, and between them it is raised to that power.
    """
    gram = (weights.T @ weights).toarray().astype(np.float64)
    spread = float(np.mean(weights.data**2)) if weights.nnz else 1.0
    gram[np.diag_indices_from(gram)] += regularisation * spread
    inverse = np.linalg.inv(gram)
    links = -inverse / np.diag(inverse)[None, :] ** constrained
    np.fill_diagonal(links, 0.0)
    return np.asarray(links)


def graded(histories: sp.csr_matrix, *, power: float) -> sp.csr_matrix:
    """The histories with each weight raised to a power; 0 leaves only that there was one."""
    found = sp.csr_matrix(histories, dtype=np.float32, copy=True)
    found.data = found.data**power
    return found
