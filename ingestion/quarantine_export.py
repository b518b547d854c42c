"""Quarantine as a file that a person repairs in a spreadsheet, and the repaired rows read back from it.

The columns that start with `quarantine_` say which row it is and why it was refused; the others are the source's own.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.quarantine_view import Quarantine
from ingestion.readers.json_lines import JsonLinesReader
from ingestion.readers.separated import SeparatedReader
from ingestion.refused_row import RefusedRow
from polyloom.durable import replace_file
from polyloom.errors import DataError, RequestError

ID = "quarantine_id"
CONTENT = "quarantine_content"
NOTES = {
    ID: "id",
    "quarantine_table": "table",
    "quarantine_source": "source",
    "quarantine_row": "row",
    "quarantine_reason": "reason",
    "quarantine_message": "message",
}
ENDINGS = (".csv", ".jsonl", ".parquet")


def export_quarantine(quarantine: Quarantine, path: Path) -> int:
    """Write the rows as CSV, JSONL or Parquet, by the path's ending; returns how many.

    A line that could not be read as columns stands whole in `quarantine_content`.
    """
    rows = [exported(row) for row in quarantine]
    ending = checked_ending(path)
    if ending == ".jsonl":
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    else:
        content = _as_csv(rows) if ending == ".csv" else _as_parquet(rows)
    replace_file(path, content)
    return len(rows)


def repaired_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a repaired file, each with its `quarantine_id`.

    Raises:
        RequestError: the file is not there, its ending is unknown, a line cannot be read, or a row has no id.
    """
    ending = checked_ending(path)
    if not path.is_file():
        raise RequestError(f"{path}: there is no such file. `polyloom quarantine SCENARIO export {path}` writes one.")
    if ending == ".parquet":
        numbered: Iterable[tuple[int, Mapping[str, Any]]] = enumerate(pq.read_table(path).to_pylist(), start=1)
    else:
        numbered = _lines(path, ending)
    for number, row in numbered:
        if not row.get(ID):
            raise RequestError(f"{path}, row {number}: no {ID}. Keep that column: it says which row this one repairs.")
        yield dict(row)


def exported(row: RefusedRow) -> dict[str, Any]:
    """One row as it is exported: notes first, then the source's columns."""
    notes = {name: getattr(row, field) for name, field in NOTES.items()}
    values = row.values
    return {**notes, CONTENT: row.content} if values is None else {**notes, **values}


def cell(value: object) -> str:
    """A value as a spreadsheet's cell: text as it is, nothing for a missing value, JSON for the rest."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def checked_ending(path: Path) -> str:
    """A path's ending. Raises RequestError for one that quarantine is not exchanged in."""
    if path.suffix.lower() not in ENDINGS:
        raise RequestError(f"{path} ends in {path.suffix!r}. Allowed endings: {', '.join(ENDINGS)}.")
    return path.suffix.lower()


def _lines(path: Path, ending: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = (
        JsonLinesReader(path, encoding="utf-8")
        if ending == ".jsonl"
        else SeparatedReader(path, encoding="utf-8", separator=",")
    )
    try:
        for row in reader.rows():
            if row.refusal is not None:
                raise RequestError(f"{path}, line {row.number}: {row.refusal.message} Repair it and replay again.")
            yield row.number, row.values
    except DataError as error:
        raise RequestError(f"{error} A repaired file is UTF-8, with commas.") from error


def _names(rows: Iterable[Mapping[str, object]]) -> list[str]:
    columns = dict.fromkeys(name for row in rows for name in row if name not in {*NOTES, CONTENT})
    return [*NOTES, CONTENT, *columns]


def _as_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    names = _names(rows)
    writer.writerow(names)
    writer.writerows([cell(row.get(name)) for name in names] for row in rows)
    # With the mark a spreadsheet reads Chinese as Chinese.
    return text.getvalue().encode("utf-8-sig", errors="replace")


def _as_parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = pa.BufferOutputStream()
    columns = {name: pa.array([cell(row.get(name)) or None for row in rows], pa.string()) for name in _names(rows)}
    pq.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue().to_pybytes())
