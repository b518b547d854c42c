"""Items like those in a history, by what they are: the one model that knows an item which nobody took yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from polyloom.errors import DataError
from retrieval.recommending.model import Reason, check_histories, ranked_reasons, read_model, write_model

# So many items of a history are asked for their neighbours, and so many items, the best by the mean, are asked about:
# reading the vectors of 100,000 a second time would take longer than all else.
ASKED, CLOSER = 8, 5_000


@dataclass(frozen=True, eq=False)
class Content:
    """`fields` of unit vectors [items, dim], zeros for an item without one, and what each field counts.

    A score is `mean_share` times the cosine to the history's weighted mean, the rest times that to the nearest of the
    `asked` items of most weight; of a large catalogue, beyond the 5,000 best by the mean, that to the mean stands for
    both. Weights that fall with age (`Interactions.matrix`) make this lean on what is recent.
    """

    fields: Mapping[str, np.ndarray]
    weights: Mapping[str, float]
    mean_share: float
    asked: int = ASKED

    kind: ClassVar[str] = "content"

    @property
    def count(self) -> int:
        """How many items it scores."""
        return len(next(iter(self.fields.values())))

    def scores(self, histories: sp.csr_matrix) -> np.ndarray:
        """Sums over the fields; 0 for an empty history, and for an item without any vector."""
        check_histories(histories, count=self.count)
        found = np.zeros(histories.shape, np.float32)
        for user in range(len(found)):
            history = histories[user]
            if history.nnz:
                for name, vectors in self.fields.items():
                    found[user] += self.weights[name] * self._field_scores(vectors, history)
        return found

    def reasons(self, history: sp.csr_matrix, item: int) -> list[Reason]:
        """Each item in the history by its weighted cosine to the recommended one."""
        worth = np.zeros(history.nnz)
        for name, vectors in self.fields.items():
            worth += self.weights[name] * history.data * (vectors[history.indices] @ vectors[item])
        return ranked_reasons(history.indices, worth)

    def looks(self, items: np.ndarray) -> np.ndarray | None:
        """All fields side by side."""
        return np.hstack([np.sqrt(self.weights[name]) * vectors[items] for name, vectors in self.fields.items()])

    def save(self, folder: Path) -> None:
        """Write it into a folder."""
        settings = {"weights": dict(self.weights), "mean_share": self.mean_share, "asked": self.asked}
        write_model(folder, kind=self.kind, settings=settings, arrays=dict(self.fields))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote."""
        settings, arrays = read_model(folder, kind=cls.kind)
        return cls({name: arrays[name] for name in settings["weights"]}, **settings)

    def _field_scores(self, vectors: np.ndarray, history: sp.csr_matrix) -> np.ndarray:
        """[items] for one history."""
        mean = history.data @ vectors[history.indices]
        length = np.linalg.norm(mean)
        to_mean = vectors @ (mean / (length if length > 0 else 1.0)).astype(np.float32)
        strongest = history.indices[np.argsort(-history.data, kind="stable")[: self.asked]]
        closer = np.arange(len(to_mean))
        if len(closer) > CLOSER:
            closer = np.argpartition(-to_mean, CLOSER)[:CLOSER]
        to_nearest = to_mean.copy()
        to_nearest[closer] = largest(vectors[closer] @ vectors[strongest].T)
        return np.asarray(self.mean_share * to_mean + (1 - self.mean_share) * to_nearest)


def largest(columns: np.ndarray) -> np.ndarray:
    """The largest of few columns [rows, few] in each row; faster than a maximum along so short an axis."""
    found = columns[:, 0].copy()
    for place in range(1, columns.shape[1]):
        np.maximum(found, columns[:, place], out=found)
    return found


def make_content(
    fields: Mapping[str, np.ndarray], *, weights: Mapping[str, float] | None = None, mean_share: float = 0.5
) -> Content:
    """From vectors [items, dim] by field, of any length.

    Raises: DataError where there is no field, or fields are not over the same items.
    """
    sizes = {name: len(vectors) for name, vectors in fields.items()}
    if len(set(sizes.values())) != 1:
        raise DataError(f"Content needs one or more fields over the same items; got vectors by field: {sizes}.")
    unit = {}
    for name, vectors in fields.items():
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit[name] = np.asarray(vectors / np.where(lengths > 0, lengths, 1.0), np.float32)
    return Content(unit, dict(weights or dict.fromkeys(fields, 1.0)), mean_share=mean_share)
