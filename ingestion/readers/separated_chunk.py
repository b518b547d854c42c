"""A chunk of a CSV or TSV file whose quotes pair: read at once where its rows are whole."""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from ingestion.readers.chunks import RawColumns, Segment, is_utf8
from ingestion.readers.reader import RawRow, original_text
from ingestion.readers.stretches import bytes_digest

RECORDS_READ_ONE_BY_ONE = 64
NEWLINE, RETURN, QUOTE = 10, 13, 34


class Records(NamedTuple):
    """Where the records of a chunk end: positions after each one's line end, and the chunk's length."""

    ends: np.ndarray
    length: int


def plain_records(content: bytes, separator: str, *, ends: bool) -> Records | None:
    """The whole records in `content`, which starts with one and, if `ends`, also ends with one.

    None where a quote stands neither at a field's edge nor doubled, where carriage returns stand alone, or where
    there is no whole record: then only reading row by row tells what is a record.
    """
    if not ends:
        # A carriage return or a quote at the very end cannot be judged without what follows.
        content = content[: content.rfind(b"\n") + 1]
    array = np.frombuffer(content, np.uint8)
    newlines, quotes = np.flatnonzero(array == NEWLINE), np.flatnonzero(array == QUOTE)
    if not _returns_are_paired(array):
        return None
    outside = np.searchsorted(quotes, newlines) % 2 == 0
    record_ends = newlines[outside] + 1
    if ends and len(quotes) % 2 == 0 and (not len(record_ends) or record_ends[-1] < len(content)):
        record_ends = np.append(record_ends, len(content))
    if not len(record_ends) or (ends and record_ends[-1] < len(content)):
        return None
    length = int(record_ends[-1])
    if not _quotes_stand_at_edges(array[:length], quotes[quotes < length], ord(separator)):
        return None
    return Records(record_ends, length)


def _returns_are_paired(array: np.ndarray) -> bool:
    returns = np.flatnonzero(array == RETURN)
    if not len(returns):
        return True
    return bool(returns[-1] + 1 < len(array) and (array[returns + 1] == NEWLINE).all())


def _quotes_stand_at_edges(array: np.ndarray, quotes: np.ndarray, separator: int) -> bool:
    """Opening ones after a separator, a line end or a quote; closing ones before one of these."""
    if not len(quotes):
        return True
    padded = np.concatenate([[NEWLINE], array, [NEWLINE]])
    before, after = padded[quotes[0::2]], padded[quotes[1::2] + 2]
    opens = (before == separator) | (before == NEWLINE) | (before == QUOTE)
    closes = (after == separator) | (after == NEWLINE) | (after == QUOTE) | (after == RETURN)
    return bool(opens.all() and closes.all())


@dataclass(frozen=True)
class SeparatedChunk:
    """Whole records; `first` is the number of the first line, `rows_in` reads a part of the content row by row."""

    source: str
    content: bytes
    first: int
    records: Records
    names: list[str]
    kinds: Mapping[str, str]
    separator: str
    rows_in: Callable[[bytes, int, list[str]], Iterator[RawRow]]

    @property
    def digest(self) -> str:
        """A hash of the records."""
        return bytes_digest(self.content)

    @property
    def stretch(self) -> None:
        """Its rows are there already."""

    def segments(self) -> Iterator[Segment]:
        """All at once where every record is whole, else halved until that is so."""
        yield from self._part(0, len(self.records.ends))

    def _part(self, start: int, stop: int) -> Iterator[Segment]:
        begin = int(self.records.ends[start - 1]) if start else 0
        content = self.content[begin : int(self.records.ends[stop - 1])]
        columns = self._columns(content, start, stop)
        if columns is not None:
            yield columns
        elif stop - start <= RECORDS_READ_ONE_BY_ONE:
            yield list(self.rows_in(content, self._line_at(begin), self.names))
        else:
            middle = (start + stop) // 2
            yield from self._part(start, middle)
            yield from self._part(middle, stop)

    def _columns(self, content: bytes, start: int, stop: int) -> RawColumns | None:
        there = [name for name in self.kinds if name in self.names]
        if not there or b"\0" in content or not is_utf8(content):
            return None
        try:
            table = pcsv.read_csv(
                pa.py_buffer(content),
                read_options=pcsv.ReadOptions(use_threads=False, block_size=len(content) + 1, column_names=self.names),
                parse_options=pcsv.ParseOptions(delimiter=self.separator, newlines_in_values=True),
                convert_options=pcsv.ConvertOptions(
                    include_columns=there, column_types=dict.fromkeys(there, pa.string()), strings_can_be_null=False
                ),
            )
        except pa.ArrowInvalid:
            return None
        if table.num_rows != stop - start or _longest(table) > csv.field_size_limit():
            return None
        starts = np.concatenate(
            [[int(self.records.ends[start - 1]) if start else 0], self.records.ends[start : stop - 1]]
        )
        return RawColumns(table, self._lines_at(starts), frozenset(self.names), lambda row: self._original(start + row))

    def _line_at(self, position: int) -> int:
        return self.first + self.content.count(b"\n", 0, position)

    def _lines_at(self, positions: np.ndarray) -> np.ndarray:
        newlines = np.flatnonzero(np.frombuffer(self.content, np.uint8) == NEWLINE)
        return np.asarray(self.first + np.searchsorted(newlines, positions), dtype=np.int64)

    def _original(self, record: int) -> str:
        begin = int(self.records.ends[record - 1]) if record else 0
        content = self.content[begin : int(self.records.ends[record])]
        (row,) = self.rows_in(content, 1, self.names)
        return original_text(row)


def _longest(table: pa.Table) -> int:
    lengths = [pc.max(pc.binary_length(column)).as_py() or 0 for column in table.columns]
    return max(lengths, default=0)
