"""JSONL: one JSON object a line; a column is there when any object has it."""

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.json as pj

from ingestion.readers.chunks import Chunk, RawColumns, Segment, is_utf8, row_chunks
from ingestion.readers.encodings import checked_codec, encoding_refusal
from ingestion.readers.reader import RawRow, refused_row
from ingestion.readers.stretches import Stretch, stretches
from ingestion.refusals import Refusal, shown
from polyloom.errors import DataError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
ROWS_READ_ONE_BY_ONE = 64
NEWLINE, RETURN, OPEN, CLOSE = b"\n\r{}"
JSON_TYPES = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}


class JsonLinesReader:
    """The rows of one JSONL file."""

    def __init__(self, path: Path, *, encoding: str) -> None:
        self._path = path
        self._encoding = encoding
        self._codec = checked_codec(encoding, path)

    def header(self) -> None:
        """Only the objects themselves tell."""

    def rows(self) -> Iterator[RawRow]:
        """Every line that is not blank."""
        # newline="\n": a lone carriage return is white space in JSON, not the end of a row.
        with self._path.open(encoding=self._codec, errors="surrogateescape", newline="\n") as stream:
            try:
                for number, line in enumerate(stream, start=1):
                    if not line.isspace():
                        yield json_row(self._path.name, number, line, encoding=self._encoding)
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{self._path.name} cannot be read as {self._encoding}: {error.reason}. "
                    f"Declare the file's own encoding in the scenario."
                ) from error

    def chunks(self, kinds: Mapping[str, str]) -> Iterator[Chunk]:
        """The rows by the chunk; `kinds` are the declared columns."""
        if self._codec != "utf-8-sig":
            yield from row_chunks(self._path.name, self.rows())
            return
        with self._path.open("rb") as stream:
            marked = stream.read(len(BYTE_ORDER_MARK)) == BYTE_ORDER_MARK
        for stretch in stretches(self._path, start=len(BYTE_ORDER_MARK) if marked else 0):
            yield JsonLinesStretch(self._path.name, stretch, kinds)


def json_row(source: str, number: int, line: str, *, encoding: str) -> RawRow:
    """One line."""
    refusal = encoding_refusal(line, encoding)
    text = line.rstrip("\r\n")
    if refusal is None:
        value, refusal = _parsed(line)
        if refusal is None:
            return RawRow(source, number, value, content=text)
    return refused_row(source, number, refusal, text)


@dataclass(frozen=True)
class JsonLinesStretch:
    """Lines of UTF-8 that are read when they are asked for."""

    source: str
    stretch: Stretch
    kinds: Mapping[str, str]

    @property
    def digest(self) -> str:
        """A hash of the lines."""
        return self.stretch.digest

    @property
    def first(self) -> int:
        """The number of the first line."""
        return self.stretch.first

    def segments(self) -> Iterator[Segment]:
        """The rows."""
        yield from JsonLinesChunk(self.source, self.stretch.content(), self.first, self.kinds).segments()


@dataclass(frozen=True)
class JsonLinesChunk:
    """Lines of UTF-8, `first` the number of the first one."""

    source: str
    content: bytes
    first: int
    kinds: Mapping[str, str]

    def segments(self) -> Iterator[Segment]:
        """All at once where every line is a plain object, else halved until that is so."""
        columns = self._columns()
        if columns is not None:
            yield columns
        elif self.content.count(b"\n") <= ROWS_READ_ONE_BY_ONE:
            yield list(self._rows())
        else:
            middle = self.content.find(b"\n", len(self.content) // 2) + 1
            if middle in {0, len(self.content)}:
                middle = self.content.rindex(b"\n", 0, len(self.content) - 1) + 1
            first, second = self.content[:middle], self.content[middle:]
            for content, number in ((first, self.first), (second, self.first + first.count(b"\n"))):
                yield from JsonLinesChunk(self.source, content, number, self.kinds).segments()

    def _rows(self) -> Iterator[RawRow]:
        text = self.content.decode("utf-8", "surrogateescape")
        for number, line in enumerate(io.StringIO(text, newline="\n"), start=self.first):
            if not line.isspace():
                yield json_row(self.source, number, line, encoding="utf-8")

    def _columns(self) -> RawColumns | None:
        """The rows at once, or None where a line is not one whole object of the expected types."""
        lines = _objects(self.content)
        if lines is None:
            return None
        first = _parsed(self.content.split(b"\n", 1)[0].decode("utf-8", "replace"))[0]
        found = frozenset(first) | {name for name in self.kinds if json.dumps(name).encode() in self.content}
        fields = [(name, _type(first.get(name), kind)) for name, kind in self.kinds.items()]
        try:
            table = pj.read_json(
                pa.py_buffer(self.content),
                read_options=pj.ReadOptions(use_threads=False, block_size=len(self.content) + 1),
                parse_options=pj.ParseOptions(explicit_schema=pa.schema(fields), unexpected_field_behavior="ignore"),
            )
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return None
        if table.num_rows != lines:
            return None
        numbers = np.arange(self.first, self.first + lines)
        return RawColumns(table, numbers, found, self._line)

    def _line(self, position: int) -> str:
        return self.content.split(b"\n", position + 1)[position].decode().rstrip("\r")


def _objects(content: bytes) -> int | None:
    """How many lines there are when each is UTF-8 from `{` to `}` and nothing is hidden in them; else None."""
    if b"\0" in content or b"\\u0000" in content or not is_utf8(content):
        return None
    array = np.frombuffer(content, np.uint8)
    ends = np.flatnonzero(array == NEWLINE)
    if not len(ends) or ends[-1] + 1 < len(array):
        ends = np.append(ends, len(array))
    starts = np.concatenate([[0], ends[:-1] + 1])
    last = array[ends - 1]
    last = np.where(last == RETURN, array[ends - 2], last)
    return len(ends) if (array[starts] == OPEN).all() and (last == CLOSE).all() else None


def _type(value: object, kind: str) -> pa.DataType:
    """The type to expect in a column, by its first value."""
    if kind == "number" and isinstance(value, int | float):
        return pa.bool_() if isinstance(value, bool) else pa.float64()
    if isinstance(value, list) or (value is None and kind == "labels"):
        return pa.list_(pa.string())
    if value is None:
        return pa.float64() if kind == "number" else pa.string()
    return JSON_TYPES.get(type(value), pa.string())


def _parsed(line: str) -> tuple[dict[str, object], Refusal | None]:
    try:
        value = json.loads(line)
    except RecursionError:
        return {}, Refusal("bad_json", "the line is nested too deeply.")
    except ValueError as error:
        return {}, Refusal("bad_json", f"the line is not JSON: {error}.")
    if not isinstance(value, dict):
        return {}, Refusal("bad_json", f'{shown(value)} is not a JSON object such as {{"text": "…"}}.')
    return value, None
