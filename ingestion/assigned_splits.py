"""The splits of one table's rows, worked out part by part and only where somebody asks.

What a row's split rests on, apart from the row itself, is the rule of its part: as long as neither the part nor the
rule changes, no split in it does.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.part_columns import PartColumns
from ingestion.refusals import Refusal
from ingestion.sources import SPLITS, TRAIN_ONLY, UNSPLIT
from ingestion.splits import (
    TRAIN,
    Boundaries,
    group_identities,
    missing_fractions,
    named_splits,
    split_codes,
    time_boundaries,
    time_codes,
)
from ingestion.tables import ReadTable
from polyloom.durable import json_digest


@dataclass
class AssignedSplits:
    """Splits as numbers, positions in SPLITS. `boundaries` are those of a table that is cut by time.

    `refusals` are the rows whose own column names no split, by position.
    """

    read: ReadTable
    columns: PartColumns
    seed: int
    fractions: Mapping[str, float]
    named: np.ndarray | None
    refusals: Mapping[int, Refusal]
    boundaries: Boundaries | None = None

    @classmethod
    def of(
        cls,
        read: ReadTable,
        columns: PartColumns,
        *,
        fractions: Mapping[str, float],
        seed: int,
        known: Boundaries | None,
    ) -> "AssignedSplits":
        """How a table is split. `fractions` are cut where the source gives no split; `known` boundaries stay."""
        named: np.ndarray | None = None
        refusals: dict[int, Refusal] = {}
        there = set(read.source.paths)
        if read.source.split:
            codes, refusals = named_splits(columns.column(read.source.split))
            named = codes.astype(np.int8)
            there = {SPLITS[code] for code in np.unique(named).tolist()}
        to_cut = missing_fractions(there, fractions)
        splits = cls(read=read, columns=columns, seed=seed, fractions=to_cut, named=named, refusals=refusals)
        if read.source.time_split:
            splits.boundaries = splits._boundaries(known)
        return splits

    def rule(self, number: int) -> str:
        """What the splits of a part rest on besides its rows."""
        source = self.read.source
        return json_digest(
            {
                "seed": self.seed,
                "fractions": dict(self.fractions),
                "given": self.read.given[number],
                "columns": [source.split, source.group, source.time_split],
                "boundaries": asdict(self.boundaries) if self.boundaries else None,
            }
        )

    def of_part(self, number: int) -> np.ndarray:
        """The splits of a part's kept rows, uint8."""
        if self.read.given[number] == TRAIN_ONLY:
            return np.full(self.read.parts[number].rows, TRAIN, np.uint8)
        given = self._given_in(number)
        free = given <= TRAIN
        if not free.any():
            return given.astype(np.uint8)
        return np.where(free, self._drawn(number), given).astype(np.uint8)

    @cached_property
    def all(self) -> np.ndarray:
        """The splits of all kept rows, uint8."""
        return _joined([self.of_part(number) for number in range(len(self.read.parts))])

    def of_refused(self, identity: np.ndarray) -> np.ndarray:
        """The splits of all rows that their parts refused: drawn by their identities, uint64, where none is given."""
        given = np.repeat([_code(given) for given in self.read.given], [part.refused for part in self.read.parts])
        drawn = split_codes(identity, seed=self.seed, fractions=self.fractions)
        return np.where(given <= TRAIN, drawn, given).astype(np.uint8)

    def _given_in(self, number: int) -> np.ndarray:
        """The split that a row's column, or its file, stands for; -1 where that is none."""
        if self.named is not None:
            return self.named[self.columns.starts[number] : self.columns.starts[number + 1]]
        return np.full(self.read.parts[number].rows, _code(self.read.given[number]), np.int8)

    def _drawn(self, number: int) -> np.ndarray:
        source = self.read.source
        if source.time_split and self.boundaries is not None:
            moments, there = _moments(self.columns.of_part(number, [source.time_split])[source.time_split])
            return np.where(there, time_codes(moments, self.boundaries), TRAIN)
        names = ["_identity", *([source.group] if source.group else [])]
        columns = self.columns.of_part(number, names)
        identity = np.asarray(columns["_identity"])
        if source.group:
            identity = group_identities(columns[source.group], identity)
        return split_codes(identity, seed=self.seed, fractions=self.fractions)

    def _boundaries(self, known: Boundaries | None) -> Boundaries:
        moments, there = _moments(self.columns.column(str(self.read.source.time_split)))
        given = _joined([self._given_in(number) for number in range(len(self.read.parts))])
        return time_boundaries(moments[there & (given <= TRAIN)], self.fractions, known)


def _moments(times: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Microseconds, and where there are any."""
    numbers = times.cast(pa.int64())
    return np.asarray(pc.fill_null(numbers, 0)), np.asarray(numbers.is_valid())


def _code(given: str) -> int:
    if given == TRAIN_ONLY:
        return TRAIN
    return -1 if given == UNSPLIT else SPLITS.index(given)


def _joined(pieces: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(pieces) if pieces else np.zeros(0, np.uint8)
