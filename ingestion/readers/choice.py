"""The reader that belongs to a path."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ingestion.readers.chunks import Chunk, row_chunks
from ingestion.readers.folders import FolderReader
from ingestion.readers.json_lines import JsonLinesReader
from ingestion.readers.parquet import ParquetReader
from ingestion.readers.reader import Reader
from ingestion.readers.separated import SeparatedReader
from ingestion.sources import TableSource
from polyloom.errors import RequestError

SEPARATORS = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": "\t"}
JSON_LINES = {".jsonl", ".ndjson"}
PARQUET = {".parquet", ".pq"}


def open_reader(source: TableSource, path: Path, *, columns: Sequence[str]) -> Reader:
    """A reader for one path of a source. Raises RequestError for a missing path or an unknown ending."""
    _check_path(source, path)
    if source.kind == "pictures":
        return FolderReader(path, image=source.image or "image")
    suffix = path.suffix.lower()
    if suffix in PARQUET:
        return ParquetReader(path, columns=columns, image=source.image)
    if suffix in JSON_LINES:
        return JsonLinesReader(path, encoding=source.encoding)
    if suffix in SEPARATORS:
        return SeparatedReader(path, encoding=source.encoding, separator=source.separator or SEPARATORS[suffix])
    allowed = ", ".join(sorted({*SEPARATORS, *JSON_LINES, *PARQUET}))
    raise RequestError(f"data.{source.name}.path: {path.name!r} ends in {suffix!r}. Allowed endings: {allowed}.")


def chunks_of(reader: Reader, kinds: Mapping[str, str], source: str) -> Iterator[Chunk]:
    """A reader's rows by the chunk: its own where it has them. `kinds` are the declared columns."""
    if isinstance(reader, ParquetReader | JsonLinesReader | SeparatedReader):
        return reader.chunks(kinds)
    return row_chunks(source, reader.rows())


def _check_path(source: TableSource, path: Path) -> None:
    if not path.exists():
        raise RequestError(f"data.{source.name}.path: there is no {path}. Check the path, or put the file there.")
    if not os.access(path, os.R_OK):
        raise RequestError(f"data.{source.name}.path: {path} cannot be read. Give yourself the right to read it.")
    if source.kind == "pictures" and not path.is_dir():
        raise RequestError(
            f"data.{source.name}.path: {path} is a file; `kind: pictures` needs a folder of class folders."
        )
    if source.kind == "table" and not path.is_file():
        raise RequestError(f"data.{source.name}.path: {path} is a folder; `kind: table` needs a file.")
