"""CSV and TSV: quoted fields may hold separators and line ends; a row is known by the line it starts on."""

import csv
import io
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from ingestion.readers.chunks import Chunk, RowChunk, row_chunks
from ingestion.readers.encodings import checked_codec, encoding_refusal, not_in_encoding
from ingestion.readers.reader import RawRow, refused_row
from ingestion.readers.separated_chunk import SeparatedChunk, plain_records
from ingestion.readers.stretches import CHUNK_BYTES, bytes_digest
from ingestion.refusals import Refusal
from polyloom.errors import DataError, RequestError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
FIELD_LIMIT_MESSAGE = "field larger than field limit"


class SeparatedReader:
    """The rows of one CSV or TSV file, whose first line names the columns unless `names` does."""

    def __init__(self, path: Path, *, encoding: str, separator: str, names: Sequence[str] = ()) -> None:
        if len(separator) != 1 or separator in '"\r\n':
            raise RequestError(f"separator: {separator!r} is not one character such as ',' or ';' or a tab.")
        self._path = path
        self._encoding = encoding
        self._codec = checked_codec(encoding, path)
        self._separator = separator
        self._given = list(names)

    def header(self) -> frozenset[str]:
        """The columns that the first line names."""
        with self._open() as stream:
            return frozenset(self._names(_Lines(stream)))

    def rows(self) -> Iterator[RawRow]:
        """Every row; blank lines are none."""
        with self._open() as stream:
            lines = _Lines(stream)
            names = self._names(lines)
            try:
                yield from self._records(lines, names)
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{self._path.name} cannot be read as {self._encoding} after line {lines.number}: {error.reason}. "
                    f"Declare the file's own encoding in the scenario."
                ) from error

    def chunks(self, kinds: Mapping[str, str]) -> Iterator[Chunk]:
        """The rows by the chunk; `kinds` are the declared columns."""
        with self._path.open("rb") as stream:
            line = stream.readline()
        marked = line.startswith(BYTE_ORDER_MARK)
        if self._given and self._codec == "utf-8-sig" and not marked:
            yield from self._chunks_after(0, 1, self._given, kinds)
            return
        plain_header = (
            not self._given
            and self._codec == "utf-8-sig"
            and line.count(b'"') % 2 == 0
            and b"\r" not in line.rstrip(b"\r\n")
        )
        if not plain_header:
            yield from row_chunks(self._path.name, self.rows())
            return
        with self._open() as stream_of_text:
            names = self._names(_Lines(stream_of_text))
        yield from self._chunks_after(len(line), 2, names, kinds)

    def _chunks_after(self, position: int, first: int, names: list[str], kinds: Mapping[str, str]) -> Iterator[Chunk]:
        """Chunks from a position at the start of line `first` on; where quotes do not pair, rows one by one."""
        with self._path.open("rb") as stream:
            while True:
                stream.seek(position)
                content = stream.read(CHUNK_BYTES)
                if not content:
                    return
                records = plain_records(content, self._separator, ends=len(content) < CHUNK_BYTES)
                if records is not None:
                    content = content[: records.length]
                    position += len(content)
                    yield SeparatedChunk(
                        self._path.name,
                        content,
                        first,
                        records,
                        names,
                        kinds,
                        self._separator,
                        self.rows_in,
                    )
                    first += content.count(b"\n")
                    continue
                stream.seek(position)
                rows, lines, length = self._one_by_one(stream, first, names, at_least=CHUNK_BYTES)
                stream.seek(position)
                yield RowChunk(self._path.name, bytes_digest(stream.read(length)), rows)
                position += length
                first += lines

    def _one_by_one(
        self, stream: io.BufferedReader, first: int, names: list[str], *, at_least: int
    ) -> tuple[list[RawRow], int, int]:
        """Rows, lines and bytes from here to the first sound record end after `at_least` bytes, or the file's end."""
        text = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="")
        lines = _Lines(text, before=first - 1)
        rows: list[RawRow] = []
        try:
            for row in self._records(lines, names):
                rows.append(row)
                if lines.length >= at_least and lines.is_between_sound_records():
                    break
        finally:
            text.detach()
        return rows, lines.number - first + 1, lines.length

    def rows_in(self, content: bytes, first: int, names: list[str]) -> Iterator[RawRow]:
        """The rows of a part of the file that starts with line `first` and ends with a record."""
        text = io.StringIO(content.decode("utf-8", "surrogateescape"), newline="")
        yield from self._records(_Lines(text, before=first - 1), names)

    def _open(self) -> TextIO:
        return self._path.open(encoding=self._codec, errors="surrogateescape", newline="")

    def _names(self, lines: "_Lines") -> list[str]:
        if self._given:
            return self._given
        try:
            names = next(csv.reader(lines, delimiter=self._separator, strict=True), [])
        except csv.Error as error:
            raise DataError(f"{self._path.name}: the first line does not name columns: {error}.") from error
        except UnicodeDecodeError as error:
            raise DataError(f"{self._path.name}: {not_in_encoding(self._encoding)}") from error
        if not names:
            raise DataError(f"{self._path.name} is empty: its first line must name the columns.")
        if refusal := encoding_refusal("".join(names), self._encoding):
            raise DataError(f"{self._path.name}, line 1: {refusal.message}")
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise DataError(f"{self._path.name}: the column {repeated[0]!r} stands twice in the first line.")
        return names

    def _records(self, lines: "_Lines", names: list[str]) -> Iterator[RawRow]:
        records = csv.reader(lines, delimiter=self._separator, strict=True)
        while True:
            lines.start_record()
            try:
                record = next(records, None)
            except csv.Error as error:
                # An open quote swallows the rows below it: only its own line is refused, the rest is read again.
                lines.give_back()
                yield self._refused(lines, _quoting_refusal(error))
                continue
            if record is None:
                return
            if record:
                yield self._row(lines, names, record)

    def _row(self, lines: "_Lines", names: list[str], record: list[str]) -> RawRow:
        refusal = encoding_refusal("".join(lines.taken), self._encoding)
        if refusal is None and len(record) != len(names):
            refusal = Refusal("ragged_row", f"the row has {len(record)} fields, the first line names {len(names)}.")
        if refusal is None and lines.is_tail_of_a_broken_row():
            refusal = Refusal("ragged_row", "the row holds one half of a pair of quotes that an earlier row opened.")
        if refusal is not None:
            return self._refused(lines, refusal)
        return RawRow(self._path.name, lines.first, dict(zip(names, record, strict=True)))

    def _refused(self, lines: "_Lines", refusal: Refusal) -> RawRow:
        return refused_row(self._path.name, lines.first, refusal, "".join(lines.taken).rstrip("\r\n"))


def _quoting_refusal(error: csv.Error) -> Refusal:
    if FIELD_LIMIT_MESSAGE in str(error):
        return Refusal(
            "field_too_large",
            f"a field holds more than {csv.field_size_limit():,} characters, or a quote is left open.",
        )
    return Refusal("ragged_row", 'a quote is left open or is not doubled; write "" for a quote inside quotes.')


class _Lines:
    """The lines of a file, counted, with the lines of the current record at hand."""

    def __init__(self, stream: TextIO, *, before: int = 0) -> None:
        self._stream = stream
        self._returned: deque[str] = deque()
        self._suspect_until = 0
        self.number = before
        self.length = 0
        self.first = before + 1
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._stream)
        self.number += 1
        self.length += _length(line)
        self.taken.append(line)
        return line

    def start_record(self) -> None:
        """Forget the record before; the next one starts on the next line."""
        self.taken = []
        self.first = self.number + 1

    def give_back(self) -> None:
        """Hand back every line of the current record but its first, which broke it."""
        self._suspect_until = max(self.number, self.first + 1)
        rest = self.taken[1:]
        self._returned.extendleft(reversed(rest))
        self.number -= len(rest)
        self.length -= sum(map(_length, rest))
        del self.taken[1:]

    def is_between_sound_records(self) -> bool:
        """Whether nothing of an earlier, broken record is left to be read again."""
        return not self._returned and self.number > self._suspect_until

    def is_tail_of_a_broken_row(self) -> bool:
        """Whether this record follows a broken one closely and its quotes do not pair."""
        return self.number <= self._suspect_until and sum(line.count('"') for line in self.taken) % 2 == 1


def _length(line: str) -> int:
    """Bytes of a line in UTF-8."""
    return len(line) if line.isascii() else len(line.encode("utf-8", "surrogateescape"))
