"""Whether anything changed: a cheap hash of what was declared and of the files that it names."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from ingestion.feedback import ALONE, feedback_files
from ingestion.part_making import FORMAT
from ingestion.readers.archives import split_member
from ingestion.readers.choice import files_of, open_reader
from ingestion.readers.chunks import rows_digest
from ingestion.readers.parquet import ParquetReader
from ingestion.readers.reader import Reader
from ingestion.sources import TableSource
from polyloom.durable import file_digest, json_digest

# Options that name a folder or a file beside the source's own.
BESIDE = {"images", "classes"}


def source_fingerprint(tables: Sequence[TableSource]) -> str:
    """A hash that stays the same as long as an ingestion of these tables would read the same.

    A table file counts by its bytes; a picture by its path, size and modification time. Of a table only
    the picture column is read, since it alone names the pictures. Raises what opening a source raises.
    """
    return json_digest({"format": FORMAT, "tables": [_described(source) for source in tables]})


def _described(source: TableSource) -> dict[str, object]:
    declared = asdict(source)
    del declared["paths"]
    own = () if source.kind == ALONE else source.ordered_paths()
    contents = {split: list(_contents(source, path, split)) for split, path in own}
    came_back = [_status(log, name) for _, log in feedback_files(source) for name in _below(log)]
    return {**declared, "contents": contents, "feedback": came_back}


def _contents(source: TableSource, path: Path, split: str) -> Iterator[list[object]]:
    if source.kind == "sql":
        reader = open_reader(source, path, columns=[], split=split)
        yield [rows_digest(reader.rows())]
        return
    for file in files_of(source, path):
        yield from _described_file(source, file, split)


def _described_file(source: TableSource, path: Path, split: str) -> Iterator[list[object]]:
    reader = open_reader(source, path, columns=[source.image] if source.image else [], split=split)
    beside = [str(value) for name, value in sorted(source.options.items()) if name in BESIDE and value]
    for folder in (path, *(Path(one) for one in beside)):
        if folder.is_dir():
            yield from (_status(folder, relative) for relative in _below(folder))
    if path.is_dir():
        return
    yield [path.name, file_digest(Path(split_member(str(path))[0]) if not path.exists() else path)]
    labels = source.options.get("labels")
    if isinstance(labels, Mapping):
        yield [file_digest(Path(str(one))) for one in labels.values()]
    if source.image and source.kind in {"table", "folder"} and not _holds_pictures(reader):
        named = {value for row in reader.rows() if isinstance(value := row.values.get(source.image), str)}
        folder = path.parent / str(source.options.get("image_folder") or "")
        for relative_path in sorted(named):
            yield _status(folder, relative_path)


def _holds_pictures(reader: Reader) -> bool:
    return isinstance(reader, ParquetReader) and reader.stores_pictures()


def _below(folder: Path) -> list[str]:
    found = (Path(where, name) for where, _, names in os.walk(folder) for name in names if not name.startswith("."))
    return sorted(path.relative_to(folder).as_posix() for path in found)


def _status(folder: Path, relative: str) -> list[object]:
    try:
        status = os.stat(os.path.join(folder, relative))  # noqa: PTH116, PTH118 - no Path for each picture
    except (OSError, ValueError):
        return [_plain(relative), None, None]
    return [_plain(relative), status.st_size, status.st_mtime_ns]


def _plain(name: str) -> str:
    return name.encode("utf-8", errors="backslashreplace").decode()
