"""Arrow: IPC files (Feather 2) and IPC streams, read batch by batch."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from pyarrow import ipc

from ingestion.readers.chunks import Chunk, RowChunk
from ingestion.readers.parquet import BatchChunk, numbered, python_values
from ingestion.readers.picture_values import PictureBytes
from ingestion.readers.reader import RawRow
from polyloom.errors import DataError

FILE_MARK = b"ARROW1"
FEATHER_1_MARK = b"FEA1"
ROWS_PER_BATCH = 16384
PICTURES_PER_BATCH = 64


class ArrowReader:
    """The rows of one Arrow file, only the declared columns; all of them where `columns` is None."""

    def __init__(self, path: Path, *, columns: Sequence[str] | None = None, image: str | None = None) -> None:
        self._path = path
        self._columns = columns
        self._image = image

    def header(self) -> frozenset[str]:
        """The columns of the file."""
        with _opened(self._path) as (schema, _):
            return frozenset(schema.names)

    def rows(self) -> Iterator[RawRow]:
        """Every row, numbered from 1."""
        first = 1
        for batch in self._batches():
            yield from self._rows_of(batch, first)
            first += batch.num_rows

    def chunks(self, kinds: Mapping[str, str]) -> Iterator[Chunk]:
        """The rows by the batch; a batch's digest is over its values. `kinds` is not needed."""
        del kinds
        found = self.header()
        first = 1
        for batch in self._batches():
            digest = _digest(batch)
            if self._image in batch.schema.names and _is_binary(batch.schema.field(self._image).type):
                yield RowChunk(self._path.name, digest, list(self._rows_of(batch, first)))
            else:
                yield BatchChunk(self._path.name, digest, batch, first, found)
            first += batch.num_rows

    def _rows_of(self, batch: pa.RecordBatch, first: int) -> Iterator[RawRow]:
        columns = {name: python_values(batch.column(name)) for name in batch.schema.names}
        if self._image in columns:
            columns[self._image] = [
                PictureBytes(value) if isinstance(value, bytes) else value for value in columns[self._image]
            ]
        return numbered(self._path.name, first, columns)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        """Checked batches of bounded length."""
        with _opened(self._path) as (schema, batches):
            wanted = schema.names if self._columns is None else self._columns
            names = [name for name in wanted if name in schema.names]
            stored = self._image in names and _is_binary(schema.field(self._image).type)
            size = PICTURES_PER_BATCH if stored else ROWS_PER_BATCH
            for whole in batches:
                batch = whole.select(names)
                for column in batch.columns:
                    check_column(column)
                for start in range(0, batch.num_rows, size):
                    yield batch.slice(start, size)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """The schema and the batches. Raises DataError when the file proves to be damaged while it is open."""
    if not path.stat().st_size:
        raise DataError(f"{path.name} is empty: it is no Arrow file. Write it again.")
    try:
        # No memory map: a file that is cut while it is read would end the process.
        with pa.OSFile(str(path)) as source:
            mark = source.read(len(FILE_MARK))
            source.seek(0)
            if mark.startswith(FEATHER_1_MARK):
                raise DataError(f"{path.name} is Feather version 1, which is no longer read. Write it as version 2.")
            if mark == FILE_MARK:
                file = ipc.open_file(source)
                yield file.schema, (file.get_batch(number) for number in range(file.num_record_batches))
            else:
                stream = ipc.open_stream(source)
                yield stream.schema, iter(stream)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise DataError(f"{path.name} is not a whole Arrow file: {error}. Write it again.") from error


def check_column(column: pa.Array) -> None:
    """Check that offsets lie within the buffers; text that is not UTF-8 is found row by row."""
    if pa.types.is_string(column.type):
        column.view(pa.binary()).validate(full=True)
    elif pa.types.is_large_string(column.type):
        column.view(pa.large_binary()).validate(full=True)
    else:
        column.validate(full=True)


def _digest(batch: pa.RecordBatch) -> str:
    content = hashlib.sha256(batch.schema.serialize())
    content.update(batch.serialize())
    return content.hexdigest()


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))
