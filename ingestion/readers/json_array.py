"""JSON: an array of objects, or an object with exactly one array; read element by element, whatever its size."""

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

import ijson  # type: ignore[import-untyped]  # it brings no types

from ingestion.readers.encodings import checked_codec
from ingestion.readers.reader import RawRow, refused_row
from ingestion.refusals import Refusal, shown
from polyloom.errors import DataError

ELEMENT = "item"


class JsonArrayReader:
    """The objects of one JSON file; a row's number is its place in the array, from 1."""

    def __init__(self, path: Path, *, encoding: str = "utf-8") -> None:
        self._path = path
        self._encoding = encoding
        self._codec = checked_codec(encoding, path)
        if not path.stat().st_size:
            raise DataError(f"{path.name} is empty. Put an array of objects there, such as {example()}.")

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
        with opened_json(self._path, codec=self._codec) as stream:
            events = ijson.parse(stream)
            _, event, _ = next(events)
            if event == "start_array":
                return ELEMENT
            # Below an array's elements a prefix holds a dot, or is none of the arrays' names.
            arrays = [prefix for prefix, event, _ in events if event == "start_array" and "." not in prefix]
        if len(arrays) != 1:
            has = f"has the arrays {', '.join(map(repr, arrays))}" if arrays else "has no array"
            raise DataError(
                f"{self._path.name} {has}. It must be one array of objects, such as {example()}, or an object with "
                f"exactly one array."
            )
        return f"{arrays[0]}.{ELEMENT}"


@contextmanager
def opened_json(path: Path, *, codec: str = "utf-8-sig") -> Iterator[BinaryIO]:
    """A JSON file's bytes as UTF-8. Raises DataError when they prove not to be JSON while it is open."""
    try:
        with path.open("rb") as stream:
            if codec == "utf-8-sig":
                stream.seek(len(codecs.BOM_UTF8) if stream.read(3) == codecs.BOM_UTF8 else 0)
                yield stream
            else:
                yield codecs.EncodedFile(stream, "utf-8", codec)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path.name} cannot be read as {codec}: {error.reason}. Declare the file's own encoding in the scenario."
        ) from error
    except ijson.JSONError as error:
        why = " ".join(str(error).split())[:200] or "it ends too early"
        raise DataError(f"{path.name} is not whole JSON: {why}. Repair the file or write it again.") from error


def without_decimals(value: object) -> object:
    """A JSON value whose numbers are int and float; ijson gives decimals, so that none is cut."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [without_decimals(one) for one in value]
    if isinstance(value, dict):
        return {name: without_decimals(one) for name, one in value.items()}
    return value


def example() -> str:
    """The shortest file that can be read."""
    return '[{"text": "…"}]'
