"""Parquet: read in batches, only the declared columns; pictures' bytes are hashed and let go."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.readers.reader import RawRow, StoredPicture
from polyloom.errors import DataError

ROWS_PER_BATCH = 4096
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
        with _opened(self._path) as file:
            there = [name for name in self._columns if name in file.schema_arrow.names]
            stored = self._stores_pictures(file)
            number = 0
            for batch in _batches(
                file, self._path, columns=there, size=PICTURES_PER_BATCH if stored else ROWS_PER_BATCH
            ):
                columns = {name: _values(batch.column(name)) for name in there}
                if stored and self._image:
                    columns[self._image] = [_stored(value) for value in columns[self._image]]
                for row in zip(*columns.values(), strict=True):
                    number += 1
                    yield RawRow(self._path.name, number, dict(zip(there, row, strict=True)))

    def _stores_pictures(self, file: pq.ParquetFile) -> bool:
        return self._image in file.schema_arrow.names and _is_binary(file.schema_arrow.field(self._image).type)


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
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name} is not a readable Parquet file: {error}.") from error


def _batches(file: pq.ParquetFile, path: Path, *, columns: Sequence[str], size: int) -> Iterator[pa.RecordBatch]:
    try:
        yield from file.iter_batches(batch_size=size, columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name} is damaged: {error}. Write the file again.") from error


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _stored(value: object) -> StoredPicture | None:
    return StoredPicture(hashlib.sha256(value).hexdigest(), len(value)) if isinstance(value, bytes) else None


def _values(column: pa.Array) -> list[object]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
    try:
        values: list[object] = column.to_pylist()
    except (ValueError, OverflowError):
        return [_value(scalar) for scalar in column]
    return values


def _value(scalar: pa.Scalar) -> object:
    """A value that Python may be unable to hold: text that is not UTF-8 as bytes, a time out of range as text."""
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return scalar.as_buffer().to_pybytes()
    except (ValueError, OverflowError):
        return f"out of range: {scalar.type}"
