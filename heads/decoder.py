"""What turns a head's outputs into answers and figures: the same in training, evaluation and serving, without torch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

import numpy as np

from heads.answers import Answer

Outputs = Mapping[str, np.ndarray]
"""A head's outputs by name; the first axis is the rows. Where rows differ in length, axis 1 is padded with zeros."""

Truth = Mapping[str, np.ndarray]
"""A target column as arrays, the first axis is the rows; -1 or NaN where nothing is known, padding included."""

Scorer = Callable[[np.ndarray, np.ndarray], float]
"""Truth and prediction of some rows to a score, higher is better; any rows may be drawn, as often as one likes."""


class Decoder(Protocol):
    """One task's decoder: immutable, and as JSON a part of the release."""

    @property
    def kind(self) -> str:
        """The kind of task, by which `load_decoder` finds it again."""

    @property
    def scorers(self) -> Mapping[str, Scorer]:
        """The metrics that a gate may name; the first one is the usual one."""

    def encode(self, values: Sequence[object]) -> dict[str, np.ndarray]:
        """The target column's values as truth."""

    def calibrate(self, outputs: Outputs, truth: Truth) -> Self:
        """This decoder, its probabilities or thresholds fitted on held-out rows."""

    def answers(self, outputs: Outputs, inputs: Sequence[object], *, top: int = 5) -> list[Answer]:
        """One answer a row; `inputs` are the raw values of the first modality that the task reads."""

    def comparable(self, outputs: Outputs, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
        """Truth and prediction, of one shape and the rows first, as the scorers take them."""

    def translated(self, predicted: np.ndarray, *, given_by: Self) -> np.ndarray:
        """What another decoder of this kind made comparable, in this decoder's numbers."""

    def measure(self, outputs: Outputs, truth: Truth) -> dict[str, float]:
        """All figures of a test table."""

    def to_json(self) -> dict[str, Any]:
        """A JSON value with `kind` that `load_decoder` reads."""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave."""


def rows_of(arrays: Mapping[str, np.ndarray], rows: np.ndarray | Sequence[int] | slice) -> dict[str, np.ndarray]:
    """Some rows of outputs or truth."""
    return {name: array[rows] for name, array in arrays.items()}


class Collected:
    """Outputs of batches, put together in the order of the rows; shorter batches are padded with zeros on axis 1."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._batches: list[tuple[np.ndarray, Outputs]] = []

    def add(self, places: np.ndarray, outputs: Outputs) -> None:
        """The outputs of the rows at `places`."""
        self._batches.append((places, outputs))

    def outputs(self) -> dict[str, np.ndarray]:
        """All outputs by name; rows that no batch held are zeros."""
        if not self._batches:
            return {}
        return {name: self._joined(name) for name in self._batches[0][1]}

    def _joined(self, name: str) -> np.ndarray:
        arrays = [(places, outputs[name]) for places, outputs in self._batches]
        shape = np.max([array.shape[1:] for _, array in arrays], axis=0).astype(int)
        joined = np.zeros((self._rows, *shape), dtype=arrays[0][1].dtype)
        for places, array in arrays:
            if array.ndim > 1:
                joined[places, : array.shape[1]] = array
            else:
                joined[places] = array
        return joined
