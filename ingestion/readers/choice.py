"""The files behind a declared path, and the reader that belongs to each."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from ingestion.feedback import feedback_log
from ingestion.readers.archives import (
    decompressed,
    is_archive,
    is_compressed,
    split_member,
    unpacked_documents,
    unpacked_pictures,
)
from ingestion.readers.archives import unpacked_table as unpacked
from ingestion.readers.chunks import Chunk, row_chunks
from ingestion.readers.encodings import detect
from ingestion.readers.folders import FolderReader
from ingestion.readers.json_lines import JsonLinesReader
from ingestion.readers.parquet import ParquetReader
from ingestion.readers.reader import Reader
from ingestion.readers.separated import SeparatedReader
from ingestion.sources import TableSource
from ingestion.watched import is_glob, watched_files
from polyloom.errors import RequestError
from polyloom.home import home

SEPARATORS = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": "\t"}
JSON_LINES = {".jsonl", ".ndjson"}
PARQUET = {".parquet", ".pq"}
ARROW = {".arrow", ".feather", ".ipc"}
ENDINGS = sorted({*SEPARATORS, *JSON_LINES, *PARQUET, *ARROW, ".json", ".xlsx"})
AUTO = "auto"


@runtime_checkable
class ChunkedReader(Protocol):
    """A reader that gives whole chunks at once."""

    def chunks(self, kinds: Mapping[str, str]) -> Iterator[Chunk]:
        """The rows by the chunk; `kinds` are the declared columns."""


def files_of(source: TableSource, path: Path) -> list[Path]:
    """The files that a declared path stands for: those of a pattern, what an archive holds, the path itself.

    Raises RequestError for a path that is not there, DataError for an archive that cannot be used.
    """
    if source.kind == "folder" or is_glob(str(path)):
        found = watched_files(path, pattern=str(source.options.get("pattern", "*")))
        return [_unpacked(source, file) for file in found]
    return [_unpacked(source, path)]


def open_reader(source: TableSource, path: Path, *, columns: Sequence[str], split: str = "") -> Reader:
    """A reader for one file of a source. Raises RequestError for a missing path or an unknown ending."""
    if path == feedback_log(source):
        from ingestion.readers.feedback_reader import FeedbackReader

        return FeedbackReader(path, source, columns=columns)
    _check_path(source, path)
    if source.kind in READERS:
        return READERS[source.kind](source, path, split)
    file, sheet = _sheet(path)
    suffix = file.suffix.lower()
    if suffix in PARQUET:
        return ParquetReader(file, columns=columns, image=source.image)
    if suffix in ARROW:
        from ingestion.readers.arrow_file import ArrowReader

        return ArrowReader(file, columns=columns, image=source.image)
    if suffix == ".xlsx":
        from ingestion.readers.excel import ExcelReader

        return ExcelReader(file, sheet=sheet)
    if source.separator or suffix in {".json", *JSON_LINES, *SEPARATORS}:
        return _text_reader(source, file, suffix)
    raise RequestError(
        f"data.{source.name}.path: {file.name!r} ends in {suffix!r}. Allowed endings: {', '.join(ENDINGS)}."
    )


def chunks_of(reader: Reader, kinds: Mapping[str, str], source: str) -> Iterator[Chunk]:
    """A reader's rows by the chunk: its own where it has them. `kinds` are the declared columns."""
    if isinstance(reader, ChunkedReader):
        return reader.chunks(kinds)
    return row_chunks(source, reader.rows())


def _text_reader(source: TableSource, path: Path, suffix: str) -> Reader:
    encoding = _encoding(source, path)
    if suffix == ".json":
        from ingestion.readers.json_array import JsonArrayReader

        return JsonArrayReader(path, encoding=encoding)
    if suffix in JSON_LINES:
        return JsonLinesReader(path, encoding=encoding)
    names = source.options.get("names") or ()
    return SeparatedReader(
        path,
        encoding=encoding,
        separator=source.separator or SEPARATORS[suffix],
        names=[str(name) for name in names],  # type: ignore[attr-defined]  # a list, as JSON has it
    )


def _pictures(source: TableSource, path: Path, split: str) -> Reader:
    del split
    return FolderReader(path, image=source.image or "image")


def _sql(source: TableSource, path: Path, split: str) -> Reader:
    from ingestion.readers.sql import SqlReader

    del split
    url, table, query = (source.options.get(name) for name in ("url", "table", "query"))
    return SqlReader(
        str(url),
        table=None if table is None else str(table),
        query=None if query is None else str(query),
        key=source.key,
        image=source.image,
        folder=path,
    )


def _conll(source: TableSource, path: Path, split: str) -> Reader:
    from ingestion.readers.conll import ConllReader

    del split
    fields, comment = source.options["fields"], source.options.get("comment")
    return ConllReader(
        path,
        columns=[str(field) for field in fields],  # type: ignore[attr-defined]  # a list, as JSON has it
        encoding=_encoding(source, path),
        separator=source.separator,
        comment=None if comment is None else str(comment),
    )


def _semeval(source: TableSource, path: Path, split: str) -> Reader:
    from ingestion.readers.semeval import SemevalReader

    del split
    return SemevalReader(path, encoding=_encoding(source, path))


def _squad(source: TableSource, path: Path, split: str) -> Reader:
    from ingestion.readers.squad import SquadReader

    del split
    return SquadReader(path, encoding=_encoding(source, path))


def _idx(source: TableSource, path: Path, split: str) -> Reader:
    from ingestion.readers.idx import IdxReader

    labels = source.options.get("labels")
    given = labels.get(split) if isinstance(labels, Mapping) else None
    return IdxReader(path, labels=Path(given) if given else None, image=source.image or "image")


def _boxes(source: TableSource, path: Path, split: str) -> Reader:
    from ingestion.readers.boxes import BoxesReader

    del split
    images, classes = (source.options.get(name) for name in ("images", "classes"))
    return BoxesReader(
        path,
        layout=str(source.options["layout"]),  # type: ignore[arg-type]  # it checks the word itself
        images=Path(str(images)) if images else None,
        classes=Path(str(classes)) if classes else None,
        image=source.image or "image",
    )


def _hugging_face(source: TableSource, path: Path, split: str) -> Reader:
    from ingestion.readers.hugging_face import HuggingFaceReader

    del source, split
    return HuggingFaceReader(path)


def _log(source: TableSource, path: Path, split: str) -> Reader:
    from ingestion.readers.event_log_reader import EventLogReader

    del source, split
    return EventLogReader(path)


def _documents(source: TableSource, path: Path, split: str) -> Reader:
    from ingestion.readers.documents import DocumentsReader

    del split
    given = source.options
    return DocumentsReader(
        path,
        pattern=str(given["pattern"]),
        characters=int(str(given["characters"])),
        overlap=int(str(given["overlap"])),
    )


READERS: Mapping[str, Callable[[TableSource, Path, str], Reader]] = {
    "pictures": _pictures,
    "sql": _sql,
    "conll": _conll,
    "semeval": _semeval,
    "squad": _squad,
    "idx": _idx,
    "boxes": _boxes,
    "hf": _hugging_face,
    "log": _log,
    "documents": _documents,
}


def _encoding(source: TableSource, path: Path) -> str:
    """The declared encoding, or the file's own where that is to be found."""
    return detect(path).encoding if source.encoding == AUTO else source.encoding


def _unpacked(source: TableSource, path: Path) -> Path:
    """The file itself, or what was unpacked from it into the cache."""
    outer, member = split_member(str(path))
    file, cache = Path(outer), home() / "cache" / "unpacked"
    if not file.is_file():
        return path
    if is_archive(file):
        whole = {"pictures": unpacked_pictures, "documents": unpacked_documents}.get(source.kind)
        return unpacked(file, member=member, cache=cache) if whole is None else whole(file, cache=cache)
    if is_compressed(file) and source.kind != "idx":
        return decompressed(file, cache=cache)
    return path


def _sheet(path: Path) -> tuple[Path, str | None]:
    """An Excel file and the sheet that is named behind it."""
    outer, inner = split_member(str(path))
    return (Path(outer), inner) if inner and outer.lower().endswith(".xlsx") and not path.exists() else (path, None)


def _check_path(source: TableSource, path: Path) -> None:
    file, _ = _sheet(path)
    if not file.exists():
        raise RequestError(f"data.{source.name}.path: there is no {file}. Check the path, or put the file there.")
    if not os.access(file, os.R_OK):
        raise RequestError(f"data.{source.name}.path: {file} cannot be read. Give yourself the right to read it.")
    if source.kind == "pictures" and not file.is_dir():
        raise RequestError(
            f"data.{source.name}.path: {file} is a file; `kind: pictures` needs a folder of class folders."
        )
    if source.kind in {"hf", "log"} and not file.is_dir():
        raise RequestError(f"data.{source.name}.path: {file} is a file; `kind: {source.kind}` needs a folder.")
    if source.kind in {"table", "conll", "semeval", "squad", "idx"} and not file.is_file():
        raise RequestError(f"data.{source.name}.path: {file} is a folder; `kind: {source.kind}` needs a file.")
