"""Categories to one-hot vectors."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np

from modalities.preparation.protocol import Arrays
from polyloom.durable import read_json, write_json


class CategoryPreparation:
    """`vector` [batch, dim], float32: for each column one place a known value and a last one for any other."""

    kind = "category"

    def __init__(self, *, values: Mapping[str, Sequence[str]]) -> None:
        self.values = {column: tuple(known) for column, known in values.items()}
        self._places: list[tuple[dict[str, int], int]] = []
        start = 0
        for known in self.values.values():
            other = start + len(known)
            self._places.append(({word: start + place for place, word in enumerate(known)}, other))
            start = other + 1
        self._dim = start

    @classmethod
    def fit(cls, rows: Sequence[Mapping[str, object]], *, columns: Sequence[str]) -> "CategoryPreparation":
        """The values of each column in these rows, sorted."""
        return cls(values={c: sorted({str(row[c]) for row in rows if row.get(c) is not None}) for c in columns})

    @property
    def dim(self) -> int:
        """Length of the vector."""
        return self._dim

    def value(self, row: Mapping[str, object]) -> object | None:
        """The row's categories, or None where all are missing."""
        words = [row.get(column) for column in self.values]
        return None if all(word is None for word in words) else words

    def __call__(self, values: Sequence[object]) -> Arrays:
        """One-hot vectors of a batch; a missing category leaves its places at zero."""
        vector = np.zeros((len(values), self._dim), dtype=np.float32)
        for line, words in enumerate(values):
            vector[line, self._hot(cast("Sequence[object]", words))] = 1.0
        return {"vector": vector}

    def save(self, folder: Path) -> None:
        """Write the known values."""
        settings = {column: list(known) for column, known in self.values.items()}
        write_json(folder / "preparation.json", {"kind": self.kind, "values": settings})

    @classmethod
    def load(cls, folder: Path) -> "CategoryPreparation":
        """Read what `save` wrote."""
        return cls(values=read_json(folder / "preparation.json")["values"])

    def _hot(self, words: Sequence[object]) -> list[int]:
        pairs = zip(self._places, words, strict=True)
        return [places.get(str(word), other) for (places, other), word in pairs if word is not None]
