"""JSON: an array of objects, or an object with exactly one array; read element by element, whatever its size."""

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import BinaryIO

import ijson  # type: ignore[import-untyped]  # it brings no types

from ingestion.readers.encodings import checked_codec
from ingestion.readers.reader import RawRow, refused_row
from ingestion.refusals import Refusal, shown
from polyloom.errors import DataError

ELEMENT = "item"
EXAMPLE = '[{"text": "…"}]'
# ijson keeps the path to each value as text: without a limit, memory grows with the square of the depth.
MAX_DEPTH = 100


class JsonArrayReader:
    """The objects of one JSON file; a row's number is its place in the array, from 1."""

    def __init__(self, path: Path, *, encoding: str = "utf-8") -> None:
        self._path = path
        self._encoding = encoding
        self._codec = checked_codec(encoding, path)
        if not path.stat().st_size:
            raise DataError(f"{path.name} is empty. Put an array of objects there, such as {EXAMPLE}.")

    def header(self) -> None:
        """Only the objects themselves tell."""

    def rows(self) -> Iterator[RawRow]:
        """Every element; one that is not an object is refused."""
        prefix = self._prefix()
        with opened_json(self._path, codec=self._codec) as stream:
            for number, element in enumerate(ijson.items(stream, prefix), start=1):
                yield self._row(number, without_decimals(element))

    def _row(self, number: int, element: object) -> RawRow:
        if isinstance(element, dict):
            return RawRow(self._path.name, number, element)
        refusal = Refusal("bad_json", f'{shown(element)} is not a JSON object such as {{"text": "…"}}.')
        return refused_row(self._path.name, number, refusal, str(element))

    def _prefix(self) -> str:
        """Where ijson finds the elements."""
        arrays = arrays_of(self._path, codec=self._codec)
        if arrays is None:
            return ELEMENT
        if len(arrays) != 1:
            has = f"has the arrays {', '.join(map(repr, arrays))}" if arrays else "has no array"
            raise DataError(
                f"{self._path.name} {has}. It must be one array of objects, such as {EXAMPLE}, or an object with "
                f"exactly one array."
            )
        return f"{arrays[0]}.{ELEMENT}"


def arrays_of(path: Path, *, codec: str = "utf-8-sig") -> list[str] | None:
    """The names of the arrays in a file's one object; None when the file is an array. Reads the file once.

    Raises:
        DataError: the file is not JSON, or is nested so deeply that ijson would take all memory.
    """
    arrays: list[str] = []
    is_array, depth, name = False, 0, ""
    with opened_json(path, codec=codec) as stream:
        for event, value in ijson.basic_parse(stream):
            if event in {"start_map", "start_array"}:
                depth += 1
                is_array |= depth == 1 and event == "start_array"
                if depth == 2 and event == "start_array" and not is_array:
                    arrays.append(name)
                if depth > MAX_DEPTH:
                    raise DataError(f"{path.name} is nested more than {MAX_DEPTH} deep. Write it flatter.")
            elif event in {"end_map", "end_array"}:
                depth -= 1
            elif event == "map_key" and depth == 1:
                name = value
    return None if is_array else arrays


class Transcoded:
    """The bytes of a file of any encoding, as UTF-8."""

    def __init__(self, stream: BinaryIO, codec: str) -> None:
        self._text = io.TextIOWrapper(stream, encoding=codec, newline="")

    def read(self, size: int = -1) -> bytes:
        """Bytes of at most `size` characters."""
        return self._text.read(size).encode()


@contextmanager
def opened_json(path: Path, *, codec: str = "utf-8-sig") -> Iterator[BinaryIO | Transcoded]:
    """A JSON file's bytes as UTF-8. Raises DataError when they prove not to be JSON while it is open."""
    try:
        with path.open("rb") as stream:
            if codec == "utf-8-sig":
                stream.seek(len(codecs.BOM_UTF8) if stream.read(3) == codecs.BOM_UTF8 else 0)
                yield stream
            else:
                yield Transcoded(stream, codec)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path.name} cannot be read as {codec}: {error.reason}. Declare the file's own encoding in the scenario."
        ) from error
    except (InvalidOperation, ValueError) as error:
        raise DataError(f"{path.name} holds a number with too many digits to be read. Write it shorter.") from error
    except ijson.JSONError as error:
        raise DataError(f"{path.name} is not whole JSON: {_why(error)}. Repair the file or write it again.") from error


def _why(error: Exception) -> str:
    """The first line of what yajl says; below it stands a part of the file."""
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return text.strip().split("\n")[0].rstrip(".") or "it ends too early"


def without_decimals(value: object) -> object:
    """A JSON value whose numbers are int and float; ijson gives decimals, so that none is cut."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [without_decimals(one) for one in value]
    if isinstance(value, dict):
        return {name: without_decimals(one) for name, one in value.items()}
    return value
