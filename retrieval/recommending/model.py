"""What every recommending model offers: scores of all items for a history, and what in the history speaks for one."""

from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np
import scipy.sparse as sp

from polyloom.durable import read_json, write_json
from polyloom.errors import IntegrityError, RequestError
from retrieval.recommending.arrays import open_arrays, write_arrays

RECORD, ARRAYS = "model.json", "arrays.safetensors"


class Reason(NamedTuple):
    """An item of a history, by its number, and its share in what speaks for a recommended one; shares sum to one."""

    item: int
    share: float


class Model(Protocol):
    """A fitted model, immutable. A history is a row [items] of weights above 0, so a new user needs no new fit."""

    kind: ClassVar[str]

    @property
    def count(self) -> int:
        """How many items it scores."""

    def scores(self, histories: sp.csr_matrix) -> np.ndarray:
        """How well each item suits each history [users, items], float32; of an empty history all alike."""

    def reasons(self, history: sp.csr_matrix, item: int) -> list[Reason]:
        """What of one history [1, items] speaks for an item, most first; none where the model cannot tell."""

    def looks(self, items: np.ndarray) -> np.ndarray | None:
        """Vectors of items, by number, that are near for items that are alike; None where the model has none."""

    def save(self, folder: Path) -> None:
        """Write it into a folder."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote, its arrays mapped. Raises: IntegrityError for what is missing or of another kind."""


def check_histories(histories: sp.csr_matrix, *, count: int) -> None:
    """Raises: RequestError for histories over another number of items than the model was fitted on."""
    if histories.shape[1] != count:
        raise RequestError(
            f"The histories are over {histories.shape[1]} items, the model over {count}. Make them with the item "
            "numbers of the model's own catalogue."
        )


def ranked_reasons(items: np.ndarray, worth: np.ndarray) -> list[Reason]:
    """Items [n] by what each adds [n], as shares of all that speaks for, which leaves out what speaks against."""
    order = np.argsort(-worth, kind="stable")
    order = order[worth[order] > 0]
    total = float(worth[order].sum())
    return [Reason(int(items[place]), float(worth[place]) / total) for place in order]


def write_model(folder: Path, *, kind: str, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """A model as settings in JSON and arrays in safetensors."""
    write_arrays(folder / ARRAYS, arrays)
    write_json(folder / RECORD, {"kind": kind, "settings": settings})


def read_model(folder: Path, *, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Settings and mapped arrays. Raises: IntegrityError where the folder holds no model, or one of another kind."""
    found = stored_kind(folder)
    if found != kind:
        raise IntegrityError(f"{folder} holds a model of kind {found!r}, not {kind!r}. Open it as what it is.")
    return read_json(folder / RECORD)["settings"], open_arrays(folder / ARRAYS)


def stored_kind(folder: Path) -> str:
    """The kind of the model in a folder. Raises: IntegrityError where there is none."""
    try:
        return str(read_json(folder / RECORD)["kind"])
    except (OSError, ValueError, KeyError) as error:
        raise IntegrityError(f"{folder} holds no model: {error}. Fit and save one there.") from error
