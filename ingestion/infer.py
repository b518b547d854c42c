"""A first `data` section for a file that nobody has described: a guess for each column, with what it rests on."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from ingestion.guesses import Guess, guessed_column, guessed_key, guessed_split
from ingestion.inferred_yaml import scenario_text
from ingestion.readers.choice import PARQUET, SEPARATORS, open_reader
from ingestion.readers.encodings import detect
from ingestion.readers.folders import picture_files
from ingestion.sources import UNSPLIT, TableSource
from polyloom.errors import DataError, RequestError

# Pictures that lie in the table itself are read with it.
ROWS_WITH_PICTURES = 256
PATHS_TRIED = 100
SAMPLE_BYTES = 1 << 16
NAME_LENGTH = 64
JSON_ENDINGS = {".jsonl", ".ndjson", ".json"}


@dataclass(frozen=True, kw_only=True)
class Inferred:
    """A proposed source. `reasons` says for each key or column of `data` what the guess rests on.

    `data` is the section under `data.NAME`; `text` a whole scenario file around it, with the reasons as comments.
    `complete` is whether every row was read.
    """

    name: str
    data: dict[str, object]
    reasons: dict[str, str]
    text: str
    rows_read: int
    complete: bool


def infer(path: Path, *, rows: int = 10_000) -> Inferred:
    """Propose how to read a table or a folder of pictures, from its first rows.

    Raises:
        RequestError: there is no such file, or it is of no known kind.
        DataError: it holds no row that can be read.
    """
    if not path.exists():
        raise RequestError(f"there is no {path}. Check the path, or put the file there.")
    name = _name(path)
    return _pictures(path, name) if path.is_dir() else _table(path, name, rows)


def _table(path: Path, name: str, limit: int) -> Inferred:
    source, reasons = _source(path, name)
    limit = min(limit, ROWS_WITH_PICTURES) if source.image else limit
    columns = sorted(open_reader(source, path, columns=[]).header() or ())
    read = list(itertools.islice(open_reader(source, path, columns=columns).rows(), limit + 1))
    complete = len(read) <= limit
    good = [row for row in read[:limit] if row.refusal is None]
    if not good:
        raise DataError(f"{path.name} holds no row that can be read, so nothing can be told about its columns.")
    found = dict.fromkeys(column for row in good for column in row.values)
    guesses = {column: _guess(column, [row.values.get(column) for row in good], path.parent) for column in found}
    data: dict[str, object] = {"kind": "table", "path": str(path.absolute())}
    if source.encoding != "utf-8":
        data["encoding"] = source.encoding
    if source.separator not in {None, SEPARATORS.get(path.suffix.lower())}:
        data["separator"] = source.separator
    reasons |= _described(data, guesses, complete=complete)
    return _inferred(name, data, reasons, guesses=guesses, rows_read=len(read[:limit]), complete=complete)


def _guess(column: str, values: Sequence[object], folder: Path) -> Guess:
    guess = guessed_column(column, values)
    paths = [value for value in values if isinstance(value, str) and value and "://" not in value]
    if guess.kind != "image" or not paths or any((folder / name).exists() for name in paths[:PATHS_TRIED]):
        return guess
    return replace(guess, kind="unknown", reason=f"{guess.reason}, but no such file lies beside the table")


def _described(data: dict[str, object], guesses: Mapping[str, Guess], *, complete: bool) -> dict[str, str]:
    """Add to `data` what the guesses say; gives the reasons."""
    reasons = {column: guess.reason for column, guess in guesses.items()}
    key, split = guessed_key(guesses), guessed_split(guesses)
    if key:
        data["key"] = key
        reasons["key"] = f"{key!r} has a value in every row that was read, and none twice"
    if split:
        data["split"] = split
        reasons["split"] = f"the values of {split!r} are names of splits: {', '.join(guesses[split].values)}"
    rest = {column: guess for column, guess in guesses.items() if column not in {key, split}}
    text = [column for column, guess in rest.items() if guess.kind == "text"]
    images = [column for column, guess in rest.items() if guess.kind == "image"]
    kinds = {column: guess.kind for column, guess in rest.items() if guess.kind not in {"text", "image", "unknown"}}
    # A scenario has one picture a row; a second column of paths stays what it is, a text.
    found = {"text": [*text, *images[1:]], "image": images[0] if images else None, "columns": kinds}
    data |= {word: value for word, value in found.items() if value}
    required = [column for column, guess in rest.items() if guess.kind != "unknown" and not guess.missing]
    if required:
        data["required"] = required
        reasons["required"] = "no row that was read lacks a value there"
    checks = {column: {"allowed": list(guess.values)} for column, guess in rest.items() if guess.is_closed(complete)}
    if checks:
        data["checks"] = checks
    return reasons


def _pictures(path: Path, name: str) -> Inferred:
    found = picture_files(path)
    if not found:
        raise DataError(f"{path} holds no pictures. Name a file with a table, or a folder with one folder a class.")
    classes = sorted({file.parts[0] for file in found if len(file.parts) > 1})
    data: dict[str, object] = {"kind": "pictures", "path": str(path.absolute())}
    shown = ", ".join(classes[:5]) + (f" and {len(classes) - 5} more" if len(classes) > 5 else "")
    reasons = {"kind": f"a folder of {len(found):,} pictures in {len(classes)} class folders: {shown or 'none'}"}
    if classes and all(len(file.parts) > 1 for file in found):
        data["required"] = ["label"]
        reasons["required"] = "every picture lies in a class folder"
    return _inferred(name, data, reasons, guesses={}, rows_read=len(found), complete=True)


def _inferred(
    name: str,
    data: dict[str, object],
    reasons: dict[str, str],
    *,
    guesses: Mapping[str, Guess],
    rows_read: int,
    complete: bool,
) -> Inferred:
    text = scenario_text(name, data, reasons, guesses=guesses, rows_read=rows_read, complete=complete)
    return Inferred(name=name, data=data, reasons=reasons, text=text, rows_read=rows_read, complete=complete)


def _source(path: Path, name: str) -> tuple[TableSource, dict[str, str]]:
    """How the file can be read at all, and why so."""
    suffix = path.suffix.lower()
    reasons: dict[str, str] = {}
    encoding, separator = "utf-8", None
    if suffix in {*SEPARATORS, *JSON_ENDINGS}:
        encoding, reasons["encoding"] = detect(path)
    if suffix in SEPARATORS:
        separator, reasons["separator"] = _separator(path, encoding, usual=SEPARATORS[suffix])
    image = _stored_pictures(path) if suffix in PARQUET else None
    source = TableSource(
        name=name, paths={UNSPLIT: path.absolute()}, encoding=encoding, separator=separator, image=image
    )
    return source, reasons


def _stored_pictures(path: Path) -> str | None:
    """The first column of a Parquet file that holds bytes, which are taken for pictures."""
    import pyarrow.parquet as pq

    try:
        fields = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name} is not a readable Parquet file: {error}.") from error
    return next((field.name for field in fields if pa.types.is_binary(field.type)), None)


def _separator(path: Path, encoding: str, *, usual: str) -> tuple[str, str]:
    with path.open("rb") as stream:
        start = stream.read(SAMPLE_BYTES).decode(encoding, errors="replace")
    first = start.splitlines()[0] if start else ""
    found = max((usual, ",", ";", "\t", "|"), key=first.count)
    if found == usual or not first.count(found):
        return usual, f"usual in {path.suffix} files"
    return found, f"the first line holds it {first.count(found)} times"


def _name(path: Path) -> str:
    """A source's name: small letters, digits and `_`, a letter first."""
    plain = re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_")[:NAME_LENGTH].rstrip("_")
    return plain if re.match(r"[a-z]", plain) else f"data_{plain}".rstrip("_")
