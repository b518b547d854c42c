"""Rows of forgotten items at the door: an ingestion drops them before anything of them is stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.forgotten import Forgotten
from ingestion.forgotten_rows import content_keys, mentioned
from ingestion.sources import TableSource


class Left(NamedTuple):
    """The rows of a checked chunk that are about no forgotten item, and how many were."""

    kept: pa.Table
    refused: pa.Table
    forgotten: int


@dataclass(frozen=True, kw_only=True)
class Barrier:
    """The check of one source. `references` are its columns, besides the key, that hold the key of an item."""

    forgotten: Forgotten
    references: tuple[str, ...]

    @classmethod
    def of(cls, source: TableSource, forgotten: Forgotten) -> "Barrier":
        """The barrier before one source."""
        return cls(forgotten=forgotten, references=reference_columns(source))

    def left_of(self, kept: pa.Table, refused: pa.Table, *, has_key: bool) -> Left:
        """Take out the rows whose key, or a reference, is in the ledger; costs nothing while that is empty."""
        if not len(self.forgotten):
            return Left(kept, refused, 0)
        own = kept["_key"] if has_key else pa.chunked_array([pa.array(content_keys(kept), pa.string())])
        barred = np.zeros(kept.num_rows, dtype=bool)
        for column in (own, *(kept[name] for name in self.references if name in kept.column_names)):
            barred |= self._among(column)
        known = np.array([self._is_known(row) for row in refused.select(["key", "content"]).to_pylist()], dtype=bool)
        return Left(
            kept.filter(pa.array(~barred)), refused.filter(pa.array(~known)), int(barred.sum()) + int(known.sum())
        )

    def _among(self, column: pa.ChunkedArray) -> np.ndarray:
        values = column.cast(pa.string())
        different = pc.unique(values).drop_null()
        gone = different.filter(pa.array(self.forgotten.among(different.to_pylist())))
        return np.asarray(pc.is_in(values, value_set=gone))

    def _is_known(self, row: dict[str, str]) -> bool:
        return row["key"] in self.forgotten or any(value in self.forgotten for value in mentioned(row["content"]))


def reference_columns(source: TableSource) -> tuple[str, ...]:
    """The columns of a source, besides its key, that hold the key of an item or of a person."""
    rules: Sequence[str] = (
        [name for name, rule in source.rules.columns.items() if rule.references] if source.rules else []
    )
    return tuple(dict.fromkeys(name for name in (source.user, source.item, *rules) if name))
