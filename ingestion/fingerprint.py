"""Whether anything changed: a cheap hash of what was declared and of the files that it names."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from ingestion.manifest import FORMAT
from ingestion.readers.choice import open_reader
from ingestion.readers.folders import picture_files
from ingestion.readers.parquet import ParquetReader
from ingestion.sources import TableSource
from polyloom.durable import file_digest, json_digest


def source_fingerprint(tables: Sequence[TableSource]) -> str:
    """A hash that stays the same as long as an ingestion of these tables would read the same.

    A table file counts by its bytes; a picture by its path, size and modification time. Of a table only
    the picture column is read, since it alone names the pictures. Raises what opening a source raises.
    """
    return json_digest({"format": FORMAT, "tables": [_described(source) for source in tables]})


def _described(source: TableSource) -> dict[str, object]:
    declared = asdict(source)
    del declared["paths"]
    contents = {split: list(_contents(source, path)) for split, path in source.ordered_paths()}
    return {**declared, "contents": contents}


def _contents(source: TableSource, path: Path) -> Iterator[list[object]]:
    reader = open_reader(source, path, columns=[source.image] if source.image else [])
    if source.kind == "pictures":
        for relative in picture_files(path):
            yield _status(path, relative.as_posix())
        return
    yield [path.name, file_digest(path)]
    if source.image and not (isinstance(reader, ParquetReader) and reader.stores_pictures()):
        named = {value for row in reader.rows() if isinstance(value := row.values.get(source.image), str)}
        for relative_path in sorted(named):
            yield _status(path.parent, relative_path)


def _status(folder: Path, relative: str) -> list[object]:
    try:
        status = os.stat(os.path.join(folder, relative))  # noqa: PTH116, PTH118 - no Path for each picture
    except (OSError, ValueError):
        return [_plain(relative), None, None]
    return [_plain(relative), status.st_size, status.st_mtime_ns]


def _plain(name: str) -> str:
    return name.encode("utf-8", errors="backslashreplace").decode()
