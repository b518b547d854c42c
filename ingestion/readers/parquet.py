"""Parquet: read in batches, only the declared columns; pictures' bytes are hashed and let go."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.readers.chunks import Chunk, RawColumns, RowChunk, Segment
from ingestion.readers.reader import RawRow, StoredPicture, original_text
from polyloom.errors import DataError

ROWS_PER_BATCH = 16384
PICTURES_PER_BATCH = 64


class ParquetReader:
    """The rows of one Parquet file."""

    def __init__(self, path: Path, *, columns: Sequence[str], image: str | None) -> None:
        self._path = path
        self._columns = columns
        self._image = image

    def header(self) -> frozenset[str]:
        """The columns of the file."""
        with _opened(self._path) as file:
            return frozenset(file.schema_arrow.names)

    def stores_pictures(self) -> bool:
        """Whether the picture column holds the pictures themselves rather than paths."""
        with _opened(self._path) as file:
            return self._stores_pictures(file)

    def rows(self) -> Iterator[RawRow]:
        """Every row, numbered from 1."""
        for chunk in self.chunks({}):
            for segment in chunk.segments():
                yield from segment if isinstance(segment, list) else rows_of(self._path.name, segment)

    def chunks(self, kinds: Mapping[str, str]) -> Iterator[Chunk]:
        """The rows by the batch; a batch's digest is over its row group's bytes. `kinds` is not needed."""
        del kinds
        with _opened(self._path) as file:
            there = [name for name in self._columns if name in file.schema_arrow.names]
            stored = self._stores_pictures(file)
            size = PICTURES_PER_BATCH if stored else ROWS_PER_BATCH
            first = 1
            for group in range(file.num_row_groups):
                digest = group_digest(self._path, file.metadata.row_group(group))
                batches = _batches(file, self._path, columns=there, size=size, group=group)
                for number, batch in enumerate(batches):
                    found = frozenset(file.schema_arrow.names)
                    chunk = BatchChunk(self._path.name, f"{digest}.{number}.{size}", batch, first, found)
                    yield self._with_pictures(chunk, there) if stored else chunk
                    first += batch.num_rows

    def _with_pictures(self, chunk: "BatchChunk", names: Sequence[str]) -> RowChunk:
        columns = {name: python_values(chunk.batch.column(name)) for name in names}
        if self._image:
            columns[self._image] = [_stored(value) for value in columns[self._image]]
        return RowChunk(chunk.source, chunk.digest, list(numbered(chunk.source, chunk.first, columns)))

    def _stores_pictures(self, file: pq.ParquetFile) -> bool:
        return self._image in file.schema_arrow.names and _is_binary(file.schema_arrow.field(self._image).type)


@dataclass(frozen=True)
class BatchChunk:
    """A batch of typed columns, `first` the number of its first row; `found` are the columns of the source."""

    source: str
    digest: str
    batch: pa.RecordBatch
    first: int
    found: frozenset[str]

    @property
    def stretch(self) -> None:
        """Its rows are there already."""

    def segments(self) -> Iterator[Segment]:
        """All at once."""
        numbers = np.arange(self.first, self.first + self.batch.num_rows)
        yield RawColumns(pa.Table.from_batches([self.batch]), numbers, self.found, self._original)

    def _original(self, position: int) -> str:
        row = self.batch.slice(position, 1)
        values = {name: python_values(row.column(name))[0] for name in row.schema.names}
        return original_text(RawRow(self.source, self.first + position, values))


def rows_of(source: str, columns: RawColumns) -> Iterator[RawRow]:
    """Rows that were read at once, one by one."""
    values = {name: python_values(columns.table[name].combine_chunks()) for name in columns.table.column_names}
    return numbered(source, int(columns.numbers[0]) if len(columns.numbers) else 1, values)


def numbered(source: str, first: int, columns: Mapping[str, Sequence[object]]) -> Iterator[RawRow]:
    """Columns of values as rows that are numbered from `first` on."""
    for number, row in enumerate(zip(*columns.values(), strict=True), start=first):
        yield RawRow(source, number, dict(zip(columns, row, strict=True)))


def group_digest(path: Path, group: pq.RowGroupMetaData) -> str:
    """SHA-256 of the bytes of a row group."""
    spans = [_span(group.column(number)) for number in range(group.num_columns)]
    content = hashlib.sha256(str(group.num_rows).encode())
    with path.open("rb") as stream:
        for start, length in spans:
            stream.seek(start)
            content.update(stream.read(length))
    return content.hexdigest()


def _span(column: pq.ColumnChunkMetaData) -> tuple[int, int]:
    start = column.data_page_offset
    if column.has_dictionary_page and column.dictionary_page_offset:
        start = min(start, column.dictionary_page_offset)
    return start, column.total_compressed_size


def picture_bytes(path: Path, *, column: str, numbers: Sequence[int]) -> Iterator[list[tuple[int, bytes]]]:
    """Batches of (row number, picture) for the rows asked for; `numbers` ascend from 1."""
    wanted = set(numbers)
    with _opened(path) as file:
        start = 1
        for batch in _batches(file, path, columns=[column], size=PICTURES_PER_BATCH):
            here = [number for number in range(start, start + batch.num_rows) if number in wanted]
            values = batch.column(0)
            yield [(number, values[number - start].as_py()) for number in here]
            start += batch.num_rows


def _opened(path: Path) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(path)
        # Names that are not UTF-8 show only now.
        _ = file.schema_arrow.names
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path.name} is not a readable Parquet file: {error}.") from error
    return file


def _batches(
    file: pq.ParquetFile, path: Path, *, columns: Sequence[str], size: int, group: int | None = None
) -> Iterator[pa.RecordBatch]:
    groups = None if group is None else [group]
    try:
        yield from file.iter_batches(batch_size=size, columns=columns, row_groups=groups)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name} is damaged: {error}. Write the file again.") from error


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _stored(value: object) -> StoredPicture | None:
    return StoredPicture(hashlib.sha256(value).hexdigest(), len(value)) if isinstance(value, bytes) else None


def python_values(column: pa.Array) -> list[object]:
    """A column as Python's values; times to the microsecond."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
    try:
        values: list[object] = column.to_pylist()
    except (ValueError, OverflowError):
        return [python_value(scalar) for scalar in column]
    return values


def python_value(scalar: pa.Scalar) -> object:
    """A value that Python may be unable to hold: text that is not UTF-8 as bytes, a time out of range as text."""
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return scalar.as_buffer().to_pybytes()
    except (ValueError, OverflowError):
        return f"out of range: {scalar.type}"
