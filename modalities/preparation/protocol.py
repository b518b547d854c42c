"""What every preparation offers: raw values to arrays, the same in training and in serving, without torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

Arrays = dict[str, np.ndarray]


class Preparation(Protocol):
    """Turns a batch of one modality's values into named arrays; every array's first axis is the batch."""

    @property
    def kind(self) -> str:
        """The name under which `load_preparation` finds it again."""

    def value(self, row: Mapping[str, object]) -> object | None:
        """This modality's value in a row (column name -> value), or None where it is missing."""

    def __call__(self, values: Sequence[object]) -> Arrays:
        """Arrays for values of which none is missing."""

    def save(self, folder: Path) -> None:
        """Write everything that `load_preparation` needs into an existing folder."""


class VectorPreparation(Preparation, Protocol):
    """A preparation whose arrays are one embedding, `vector` [batch, dim]: it needs no encoder."""

    @property
    def dim(self) -> int:
        """Length of the vector."""


def text_value(row: Mapping[str, object], columns: Sequence[str]) -> str | None:
    """The row's text columns, one a line, and so are the texts of a list; None where all are missing or blank."""
    given = [row[name] for name in columns if row.get(name) is not None]
    parts = [str(part).strip() for value in given for part in (value if isinstance(value, (list, tuple)) else [value])]
    return "\n".join(part for part in parts if part) or None
