"""Rows in chunks of a few megabytes: all at once over pyarrow where a chunk is plain, one by one where it is not.

What is read one by one is the rule, what is read at once must equal it: a chunk that is not plain is halved
until the rows that need a look of their own stand in a small one.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from ingestion.readers.picture_values import PictureBytes
from ingestion.readers.reader import RawRow, StoredPicture
from ingestion.readers.stretches import Stretch

ROWS_PER_CHUNK = 5000


class RawColumns(NamedTuple):
    """Rows that were read at once, as the source types them.

    `numbers` are their lines or positions, `found` the columns that the source has,
    `original(position)` is a row's original text.
    """

    table: pa.Table
    numbers: np.ndarray
    found: frozenset[str]
    original: Callable[[int], str]


Segment = RawColumns | list[RawRow]


class Chunk(Protocol):
    """Consecutive rows of one source. The same `digest` and the same `first` number mean the same rows."""

    @property
    def source(self) -> str:
        """What a person would look for."""

    @property
    def digest(self) -> str:
        """A hash of what the rows came from."""

    @property
    def first(self) -> int:
        """The number of the first row."""

    @property
    def stretch(self) -> Stretch | None:
        """The lines that it is, where they are read only when the rows are asked for."""

    def segments(self) -> Iterator[Segment]:
        """The rows, in order."""


@dataclass(frozen=True)
class RowChunk:
    """Rows that were read one by one."""

    source: str
    digest: str
    rows: Sequence[RawRow]

    @property
    def first(self) -> int:
        """The number of the first row."""
        return self.rows[0].number if self.rows else 0

    @property
    def stretch(self) -> None:
        """Its rows are there already."""

    def segments(self) -> Iterator[Segment]:
        """The rows."""
        yield list(self.rows)


def row_chunks(source: str, rows: Iterable[RawRow], *, size: int = ROWS_PER_CHUNK) -> Iterator[RowChunk]:
    """Rows of any reader, `size` at a time."""
    waiting: list[RawRow] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == size:
            yield RowChunk(source, rows_digest(waiting), waiting)
            waiting = []
    if waiting:
        yield RowChunk(source, rows_digest(waiting), waiting)


def rows_digest(rows: Iterable[RawRow]) -> str:
    """SHA-256 over rows: values, numbers and refusals."""
    content = hashlib.sha256()
    for row in rows:
        told = [row.source, row.number, row.values, row.refusal, row.content]
        content.update(json.dumps(told, default=_plain, sort_keys=True).encode())
    return content.hexdigest()


def is_utf8(content: bytes) -> bool:
    """Whether bytes are whole UTF-8 text."""
    if content.isascii():
        return True
    # Arrow checks without making a text of it.
    bounds = pa.py_buffer(np.array([0, len(content)], np.int32))
    try:
        pa.Array.from_buffers(pa.string(), 1, [None, bounds, pa.py_buffer(content)]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _plain(value: object) -> str:
    if isinstance(value, PictureBytes):
        return hashlib.sha256(value.content).hexdigest()
    if isinstance(value, StoredPicture):
        return f"{value.sha256}:{value.size}"
    return f"{type(value).__name__}:{value!r}"
