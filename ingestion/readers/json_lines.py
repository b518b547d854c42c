"""JSONL: one JSON object a line; a column is there when any object has it."""

import json
from collections.abc import Iterator
from pathlib import Path

from ingestion.readers.encodings import checked_codec, encoding_refusal
from ingestion.readers.reader import RawRow, refused_row
from ingestion.refusals import Refusal, shown
from polyloom.errors import DataError


class JsonLinesReader:
    """The rows of one JSONL file."""

    def __init__(self, path: Path, *, encoding: str) -> None:
        self._path = path
        self._encoding = encoding
        self._codec = checked_codec(encoding, path)

    def header(self) -> None:
        """Only the objects themselves tell."""

    def rows(self) -> Iterator[RawRow]:
        """Every line that is not blank."""
        # newline="\n": a lone carriage return is white space in JSON, not the end of a row.
        with self._path.open(encoding=self._codec, errors="surrogateescape", newline="\n") as stream:
            try:
                for number, line in enumerate(stream, start=1):
                    if not line.isspace():
                        yield self._row(number, line)
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{self._path.name} cannot be read as {self._encoding}: {error.reason}. "
                    f"Declare the file's own encoding in the scenario."
                ) from error

    def _row(self, number: int, line: str) -> RawRow:
        refusal = encoding_refusal(line, self._encoding)
        if refusal is None:
            value, refusal = _parsed(line)
            if refusal is None:
                return RawRow(self._path.name, number, value)
        return refused_row(self._path.name, number, refusal, line.rstrip("\r\n"))


def _parsed(line: str) -> tuple[dict[str, object], Refusal | None]:
    try:
        value = json.loads(line)
    except RecursionError:
        return {}, Refusal("bad_json", "the line is nested too deeply.")
    except ValueError as error:
        return {}, Refusal("bad_json", f"the line is not JSON: {error}.")
    if not isinstance(value, dict):
        return {}, Refusal("bad_json", f'{shown(value)} is not a JSON object such as {{"text": "…"}}.')
    return value, None
