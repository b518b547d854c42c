"""A table of a snapshot as the checks see it: small columns of all rows, texts of a bounded sample."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.examination.findings import Example
from ingestion.personal import Personal
from ingestion.sources import SPLITS
from ingestion.splits import unit_interval

MAX_SAMPLED_ROWS = 100_000
MAX_SAMPLED_CHARACTERS = 40_000_000
SHOWN_CHARACTERS = 240
INTERNAL = ("_key", "_split", "_source", "_row")


class Readable(Protocol):
    """What the examination reads of a snapshot."""

    @property
    def id(self) -> str:
        """The snapshot's id."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What the snapshot says about its tables."""

    def batches(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The kept rows of a table, some at a time."""

    def quarantine(self) -> pa.Table:
        """The refused rows."""


@dataclass(frozen=True, kw_only=True)
class ExaminedTable:
    """`rows` has every row without its texts; `same_text` gives rows with equal texts one number (-1: no text).

    `sampled` are the positions of the rows whose texts are held in `texts`: all, or those that a hash of the key
    draws, so that the sample does not depend on the order of the rows.
    """

    name: str
    kinds: Mapping[str, str]
    targets: tuple[str, ...]
    rows: pa.Table
    same_text: np.ndarray
    sampled: np.ndarray
    texts: Mapping[str, pa.Array]

    @cached_property
    def split(self) -> np.ndarray:
        """Each row's split, as its position in train, validation, test."""
        order = pa.array(SPLITS, pa.string())
        return _numpy(pc.fill_null(pc.index_in(self.rows["_split"], order), 0)).astype(np.int64)

    @property
    def picture(self) -> str | None:
        """The column that holds pictures."""
        return next((name for name, kind in self.kinds.items() if kind == "image"), None)

    @cached_property
    def joined(self) -> list[str]:
        """The whole text of each sampled row."""
        columns = [pc.fill_null(column, "") for column in self.texts.values()]
        return pc.binary_join_element_wise(*columns, "\n").to_pylist() if columns else []

    def columns(self, *kinds: str) -> list[str]:
        """Columns of these kinds that are no target."""
        return [name for name, kind in self.kinds.items() if kind in kinds and name not in self.targets]

    def of_sample(self) -> str:
        """The words " in a sample of 5 of the 9 rows", or nothing when all rows were looked at."""
        whole = self.rows.num_rows
        return "" if len(self.sampled) == whole else f" in a sample of {len(self.sampled):,} of the {whole:,} rows"

    def example(self, position: int, *, group: int = 0, target: str | None = None) -> Example:
        """A row as an example."""
        row = self.rows.slice(position, 1).to_pylist()[0]
        return Example(
            key=str(row["_key"]),
            split=str(row["_split"]),
            source=str(row["_source"]),
            row=int(row["_row"]),
            group=group,
            shown=self._shown(position),
            label=None if target is None else str(row[target]),
            picture=row[self.picture] if self.picture else None,
        )

    def _shown(self, position: int) -> str:
        place = int(np.searchsorted(self.sampled, position))
        if not self.texts or place == len(self.sampled) or self.sampled[place] != position:
            return ""
        text = Personal().mask_text(self.joined[place][: 2 * SHOWN_CHARACTERS]).strip()
        return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def examined_table(
    snapshot: Readable, name: str, *, targets: Sequence[str], sample: int = MAX_SAMPLED_ROWS
) -> ExaminedTable:
    """Read a table once, some rows at a time."""
    kinds: Mapping[str, str] = snapshot.manifest["tables"][name]["columns"]
    texts = [column for column, kind in kinds.items() if kind == "text"]
    small = [column for column in kinds if column not in texts]
    share = sample / max(1, int(snapshot.manifest["tables"][name]["rows_kept"]))
    reader = _Reading(texts, share)
    rows = [reader.take(batch) for batch in snapshot.batches(name, [*kinds, *INTERNAL])]
    whole = pa.concat_tables(rows).select([*small, *INTERNAL]).combine_chunks()
    sampled, kept = reader.sample()
    return ExaminedTable(
        name=name,
        kinds=kinds,
        targets=tuple(targets),
        rows=whole,
        same_text=reader.same_text(),
        sampled=sampled,
        texts=kept,
    )


class _Reading:
    """Takes batches: keeps a digest of every row's text, and the texts of the sampled rows."""

    def __init__(self, texts: Sequence[str], share: float) -> None:
        self._texts = texts
        self._share = share
        self._digests: list[pa.Array] = []
        self._positions: list[np.ndarray] = []
        self._kept: list[pa.Table] = []
        self._read = 0

    def take(self, batch: pa.Table) -> pa.Table:
        """The batch without its texts."""
        if self._texts:
            self._digests.append(_digests(batch.select(self._texts)))
        drawn = self._drawn(batch["_key"])
        self._positions.append(drawn + self._read)
        self._kept.append(batch.select(self._texts).take(pa.array(drawn)))
        self._read += batch.num_rows
        return batch.drop_columns(list(self._texts))

    def _drawn(self, keys: pa.ChunkedArray) -> np.ndarray:
        if self._share >= 1:
            return np.arange(len(keys))
        draws = [unit_interval(0, "examine", str(key)) for key in keys.to_pylist()]
        return np.flatnonzero(np.array(draws) < self._share)

    def sample(self) -> tuple[np.ndarray, dict[str, pa.Array]]:
        """Positions and texts of the sampled rows, as many as the bound on characters lets in."""
        positions = np.concatenate([np.empty(0, np.int64), *self._positions])
        if not self._texts:
            return positions, {}
        kept = pa.concat_tables(self._kept)
        sizes = sum(_numpy(pc.fill_null(pc.utf8_length(kept[name]), 0)).astype(np.int64) for name in self._texts)
        within = int(np.searchsorted(np.cumsum(sizes), MAX_SAMPLED_CHARACTERS, side="right"))
        return positions[:within], {name: kept[name].slice(0, within).combine_chunks() for name in self._texts}

    def same_text(self) -> np.ndarray:
        """A number for each text, the same for equal ones; -1 where there is no text."""
        if not self._texts:
            return np.full(self._read, -1)
        encoded = pa.chunked_array(self._digests).combine_chunks().dictionary_encode()
        return _numpy(pc.fill_null(encoded.indices, -1)).astype(np.int64)


def _digests(texts: pa.Table) -> pa.Array:
    columns = [pc.fill_null(column, "") for column in texts.columns]
    joined = pc.binary_join_element_wise(*columns, "\x1f").to_pylist()
    empty = "\x1f" * (len(columns) - 1)
    digests = [None if text == empty else hashlib.blake2b(text.encode(), digest_size=16).digest() for text in joined]
    return pa.array(digests, pa.binary(16))


def _numpy(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    return np.asarray(column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy())
