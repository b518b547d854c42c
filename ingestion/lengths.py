"""The rule that columns have equally many elements in each row, checked on whole columns of typed values."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.refusals import Refusal


@dataclass(frozen=True, kw_only=True)
class SameLength:
    """Columns that go together element by element: in each row they have equally many; a missing value passes.

    The elements of a list are its values, those of a text its words: what `word`, a regular expression of Python's,
    finds in it.
    """

    columns: tuple[str, ...]
    word: str = r"\S+"

    def check(self, columns: Mapping[str, pa.Array]) -> Iterator[tuple[int, Refusal]]:
        """The refusals by position, for columns of one length."""
        counts = {name: self._counts(columns[name]) for name in self.columns}
        for one, other in combinations(self.columns, 2):
            uneven = pc.fill_null(pc.not_equal(counts[one], counts[other]), False)  # noqa: FBT003 - Arrow's call
            for place in np.flatnonzero(np.asarray(uneven)).tolist():
                told = " but ".join(
                    f"{name!r} has {_told(counts[name][place].as_py(), columns[name].type)}" for name in (one, other)
                )
                yield place, Refusal("uneven_lengths", f"{told}; there must be equally many.")

    def _counts(self, column: pa.Array) -> pa.Array:
        if _is_list(column.type):
            return pc.list_value_length(column).cast(pa.int64())
        word = re.compile(self.word)
        texts = column.to_pylist()
        return pa.array([None if text is None else len(word.findall(text)) for text in texts], pa.int64())


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _told(count: int, kind: pa.DataType) -> str:
    noun = "value" if _is_list(kind) else "word"
    return f"{count} {noun}{'' if count == 1 else 's'}"
