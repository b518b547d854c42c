"""Numbers to standard scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from modalities.preparation.protocol import Arrays
from polyloom.durable import read_json, write_json


class NumberPreparation:
    """`vector` [batch, 2 x columns], float32: each column's standard score, then 1 where it is missing.

    Scores are clipped to [-5, 5], so that one wild number cannot drown the others.
    """

    kind = "number"

    def __init__(self, *, columns: Sequence[str], mean: Sequence[float], deviation: Sequence[float]) -> None:
        self.columns = tuple(columns)
        self.mean = tuple(mean)
        self.deviation = tuple(deviation)

    @classmethod
    def fit(cls, rows: Sequence[Mapping[str, object]], *, columns: Sequence[str]) -> "NumberPreparation":
        """Mean and deviation of each column over the rows that have it."""
        table = as_floats([[row.get(name) for name in columns] for row in rows], width=len(columns))
        known = ~np.isnan(table)
        counts = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, table, 0.0).sum(axis=0) / counts
        variance = np.where(known, (table - mean) ** 2, 0.0).sum(axis=0) / counts
        deviation = np.where(variance > 0, np.sqrt(variance), 1.0)
        return cls(columns=columns, mean=mean.tolist(), deviation=deviation.tolist())

    @property
    def dim(self) -> int:
        """Length of the vector."""
        return 2 * len(self.columns)

    def value(self, row: Mapping[str, object]) -> object | None:
        """The row's numbers, or None where all are missing."""
        numbers = [row.get(name) for name in self.columns]
        return None if all(number is None for number in numbers) else numbers

    def __call__(self, values: Sequence[object]) -> Arrays:
        """Standard scores of a batch."""
        table = as_floats(values, width=len(self.columns))
        scores = np.clip((table - np.asarray(self.mean)) / np.asarray(self.deviation), -5.0, 5.0)
        missing = np.isnan(scores)
        return {"vector": np.concatenate([np.where(missing, 0.0, scores), missing], axis=1).astype(np.float32)}

    def save(self, folder: Path) -> None:
        """Write the columns and their statistics."""
        settings = {"columns": list(self.columns), "mean": list(self.mean), "deviation": list(self.deviation)}
        write_json(folder / "preparation.json", {"kind": self.kind, **settings})

    @classmethod
    def load(cls, folder: Path) -> "NumberPreparation":
        """Read what `save` wrote."""
        settings = read_json(folder / "preparation.json")
        return cls(columns=settings["columns"], mean=settings["mean"], deviation=settings["deviation"])


def as_floats(rows: Sequence[object], *, width: int) -> np.ndarray:
    """float64 [len(rows), width] with NaN for None."""
    return np.array(rows, dtype=np.float64).reshape(len(rows), width)
