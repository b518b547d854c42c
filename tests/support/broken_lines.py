"""Kinds of broken lines and cells: what one source kind's own form can get wrong, beside rows that are sound."""

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather

from ingestion.refusals import Reason
from ingestion.sources import TableSource
from tests.support.broken_tables import (
    DELIMITED,
    GOOD_ROWS,
    LINES,
    delimited,
    good_row,
    good_rows,
    lines,
    tab,
    table_source,
    write_excel,
    write_sqlite,
)

FIELD_LIMIT = 131_072
TOKEN_LIMIT = 100_000
Writer = Callable[[Path], TableSource]


class BrokenLine(NamedTuple):
    """How each source kind is written with one such row, and what is said of that row."""

    reason: Reason
    message: str
    writers: Mapping[str, Writer]


def in_delimited(row: bytes) -> dict[str, Writer]:
    """A line of CSV between good ones, in every kind of file that holds CSV; a comma stands for its separator."""

    def write(name: str, folder: Path) -> TableSource:
        before = delimited(good_rows(), tab(name))
        after = delimited([good_row(GOOD_ROWS)], tab(name)).split(b"\n", 1)[1]
        content = before + row.replace(b",", tab(name).encode()) + b"\n" + after
        return table_source(name, DELIMITED[name](folder, content))

    return {name: lambda folder, name=name: write(name, folder) for name in DELIMITED}


def in_lines(line: bytes) -> dict[str, Writer]:
    """A line of JSONL between good ones."""
    content = lines(good_rows()) + line + b"\n" + lines([good_row(GOOD_ROWS)])
    return {name: lambda folder, name=name: table_source(name, LINES[name](folder, content)) for name in LINES}


def in_json(element: bytes) -> dict[str, Writer]:
    """An element of a JSON array between good ones."""

    def write(folder: Path) -> TableSource:
        good = [line for line in lines([*good_rows(), good_row(GOOD_ROWS)]).split(b"\n") if line]
        (folder / "rows.json").write_bytes(b"[" + b",".join([*good[:-1], element, good[-1]]) + b"]")
        return table_source("JSON", folder / "rows.json")

    return {"JSON": write}


def in_conll(sentence: bytes) -> dict[str, Writer]:
    """A sentence between good ones."""

    def write(folder: Path) -> TableSource:
        good = b"the DT\nrow NN\n\n"
        return conll_source(folder, good * GOOD_ROWS + sentence + b"\n\n" + good)

    return {"CoNLL": write}


def conll_source(folder: Path, content: bytes) -> TableSource:
    """A file of tokens and tags."""
    (folder / "rows.txt").write_bytes(content)
    columns = {"tokens": "tokens", "tags": "tokens"}
    options = {"fields": ["tokens", "tags"]}
    return TableSource(name="rows", kind="conll", paths={"": folder / "rows.txt"}, columns=columns, options=options)


def csv_row(title: bytes) -> bytes:
    """A line whose title is what it is."""
    (line,) = delimited([good_row(GOOD_ROWS + 1, title="TITLE")]).split(b"\n")[1:-1]
    return line.replace(b"TITLE", title)


def json_row(title: bytes) -> bytes:
    """An object whose title is what it is."""
    return lines([good_row(GOOD_ROWS + 1, title="TITLE")]).rstrip().replace(b"TITLE", title)


def not_utf8_columns() -> pa.Table:
    """Texts of which one is not text, as a careless writer leaves them."""
    rows = [*good_rows(), good_row(GOOD_ROWS), good_row(GOOD_ROWS + 1)]
    titles = [str(row["title"]).encode() for row in rows]
    titles[-1] = b"caf\xe9"
    columns = {name: pa.array([str(row[name]) for row in rows]) for name in rows[0]}
    return pa.table({**columns, "title": pa.array(titles, pa.binary()).view(pa.string())})


def not_utf8_parquet(folder: Path) -> TableSource:
    """A Parquet file with such a column."""
    pq.write_table(not_utf8_columns(), folder / "rows.parquet")
    return table_source("Parquet", folder / "rows.parquet")


def not_utf8_arrow(folder: Path) -> TableSource:
    """An Arrow file with such a column."""
    feather.write_feather(not_utf8_columns(), folder / "rows.arrow")
    return table_source("Arrow", folder / "rows.arrow")


def not_utf8_sqlite(folder: Path) -> TableSource:
    """SQLite believes whoever says that bytes are text."""
    path = write_sqlite(folder, [*good_rows(), good_row(GOOD_ROWS), good_row(GOOD_ROWS + 1)])
    connection = sqlite3.connect(path)
    connection.execute("UPDATE rows SET title = CAST(? AS TEXT) WHERE id = ?", (b"caf\xe9", f"g{GOOD_ROWS + 1:02}"))
    connection.commit()
    connection.close()
    return table_source("SQL", path)


def excel_cell(value: object, *, column: str = "price", kind: str = "") -> Writer:
    """A workbook whose last row holds this value; a text that starts with `=` is a formula."""

    def write(folder: Path) -> TableSource:
        rows = [*good_rows(), good_row(GOOD_ROWS), good_row(GOOD_ROWS + 1)]
        path = write_excel(folder, rows)
        book = openpyxl.load_workbook(path)
        sheet = book.active
        place = len(rows[0]) + 1 if column == "beyond" else list(rows[0]).index(column) + 1
        cell = sheet.cell(row=len(rows) + 1, column=place, value=value)
        cell.data_type = kind or cell.data_type
        book.save(path)
        return table_source("Excel", path)

    return write


LINE_KINDS: Mapping[str, BrokenLine] = {
    "too few fields": BrokenLine("ragged_row", "fields", {**in_delimited(b"x,y,1"), **in_conll(b"row NN\nalone")}),
    "too many fields": BrokenLine(
        "ragged_row",
        "",
        {**in_delimited(csv_row(b"a,b")), **in_conll(b"row NN more"), "Excel": excel_cell("more", column="beyond")},
    ),
    "quote left open": BrokenLine("ragged_row", "a quote is left open", in_delimited(csv_row(b'"open'))),
    "field too large": BrokenLine(
        "field_too_large",
        "more than 1",
        {
            **in_delimited(csv_row(b'"' + b"x" * (FIELD_LIMIT + 1) + b'"')),
            **in_conll(b"row NN\n" * (TOKEN_LIMIT + 1)),
        },
    ),
    "bytes outside the encoding": BrokenLine(
        "bad_encoding",
        "",
        {
            **in_delimited(csv_row(b"caf\xe9")),
            **in_lines(json_row(b"caf\xe9")),
            **in_conll(b"caf\xe9 NN"),
            "Parquet": not_utf8_parquet,
            "Arrow": not_utf8_arrow,
            "SQL": not_utf8_sqlite,
        },
    ),
    "NUL byte": BrokenLine(
        "bad_encoding",
        "the row holds a NUL byte",
        {**in_delimited(csv_row(b"a\0b")), **in_lines(json_row(b"a\0b")), **in_conll(b"a\0b NN")},
    ),
    "half a character": BrokenLine("bad_encoding", "half a character", in_lines(json_row(b"\\ud83d"))),
    "line is not JSON": BrokenLine("bad_json", "the line is not JSON", in_lines(b'{"id": "x", "title": ')),
    "number with thousands of digits": BrokenLine(
        "bad_json", "the line is not JSON", in_lines(json_row(b'a", "price": ' + b"9" * 5000 + b', "x": "'))
    ),
    "no object": BrokenLine("bad_json", "is not a JSON object", {**in_lines(b'["x", 1]'), **in_json(b'["x", 1]')}),
    "nested too deeply": BrokenLine("bad_json", "nested too deeply", in_lines(b"[" * 100_000)),
    "formula never computed": BrokenLine(
        "missing_value", "holds a formula that was never computed", {"Excel": excel_cell("=1+1")}
    ),
    "formula that failed": BrokenLine(
        "wrong_type", "Excel shows the error #DIV/0!", {"Excel": excel_cell("#DIV/0!", kind="e")}
    ),
}
