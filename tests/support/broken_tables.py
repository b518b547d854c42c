"""Tables of every source kind with good rows and one or more broken ones, as the tests of broken input need them."""

import bz2
import csv
import gzip
import io
import json
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather

from ingestion.event_log import append
from ingestion.sources import TableSource

Rows = Sequence[Mapping[str, object]]
GOOD_ROWS = 8


def good_rows() -> list[dict[str, object]]:
    """Rows that break no rule; half of them are labelled `even`, half `odd`."""
    return [good_row(number) for number in range(GOOD_ROWS)]


def good_row(number: int, **broken: object) -> dict[str, object]:
    """A row; `broken` says what is wrong with it."""
    row = {
        "id": f"g{number:02}",
        "title": f"row {number}",
        "price": number + 0.5,
        "label": "even" if number % 2 == 0 else "odd",
        "at": f"2026-01-{number % 28 + 1:02}T12:00:00",
        "opened": 1.0,
        "closed": 2.0,
        "amount": 5.0,
        "sku": "ABC-1",
        "colour": "red",
        "code": f"code {number}",
        "item": "a",
        "part": "train",
        "tags": "x|y",
        "sizes": "s|m",
    }
    return {**row, **broken}


def delimited(rows: Rows, separator: str = ",") -> bytes:
    """Rows with the line that names the columns, as CSV."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([[row.get(name) for name in names] for row in rows])
    return buffer.getvalue().encode()


def lines(rows: Iterable[Mapping[str, object]]) -> bytes:
    """Rows as JSONL."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def in_file(name: str) -> Callable[[Path, bytes], Path]:
    """Writes content to a file of this name."""

    def write(folder: Path, content: bytes) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def in_gzip(folder: Path, content: bytes) -> Path:
    """A gzipped CSV."""
    (folder / "rows.csv.gz").write_bytes(gzip.compress(content, 1))
    return folder / "rows.csv.gz"


def in_bz2(folder: Path, content: bytes) -> Path:
    """A CSV that bzip2 compressed."""
    (folder / "rows.csv.bz2").write_bytes(bz2.compress(content, 1))
    return folder / "rows.csv.bz2"


def in_zip(folder: Path, content: bytes) -> Path:
    """A CSV in a zip file."""
    with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data/rows.csv", content)
    return folder / "all.zip"


def in_tar(folder: Path, content: bytes) -> Path:
    """A CSV in a tar file."""
    with tarfile.open(folder / "all.tar.gz", "w:gz", compresslevel=1) as archive:
        info = tarfile.TarInfo("data/rows.csv")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return folder / "all.tar.gz"


def in_inbox(folder: Path, content: bytes) -> Path:
    """JSONL in a watched folder."""
    (folder / "inbox" / "today").mkdir(parents=True)
    (folder / "inbox" / "today" / "rows.jsonl").write_bytes(content)
    return folder / "inbox"


def in_log(folder: Path, content: bytes) -> Path:
    """Lines that an event log appended, broken since: its own call writes whole objects only."""
    append(folder / "events", [{"filler": ""}])
    segment = folder / "events" / "00000001.jsonl"
    segment.write_bytes(content)
    (folder / "events" / "log.json").write_text(json.dumps({"segment": 1, "bytes": len(content)}))
    return folder / "events"


DELIMITED: Mapping[str, Callable[[Path, bytes], Path]] = {
    "CSV": in_file("rows.csv"),
    "TSV": in_file("rows.tsv"),
    "gz": in_gzip,
    "bz2": in_bz2,
    "zip": in_zip,
    "tar": in_tar,
}
LINES: Mapping[str, Callable[[Path, bytes], Path]] = {
    "JSONL": in_file("rows.jsonl"),
    "watched folder": in_inbox,
    "event log": in_log,
}


def texts(rows: Rows) -> dict[str, list[str | None]]:
    """Columns of one type."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [None if row.get(name) is None else str(row[name]) for row in rows] for name in names}


def write_json(folder: Path, rows: Rows) -> Path:
    """An array."""
    return in_file("rows.json")(folder, json.dumps(list(rows)).encode())


def write_parquet(folder: Path, rows: Rows) -> Path:
    """Texts only."""
    pq.write_table(pa.table(texts(rows)), folder / "rows.parquet", row_group_size=5)
    return folder / "rows.parquet"


def write_arrow(folder: Path, rows: Rows) -> Path:
    """Texts only."""
    feather.write_feather(pa.table(texts(rows)), folder / "rows.arrow", chunksize=5)
    return folder / "rows.arrow"


def write_excel(folder: Path, rows: Rows) -> Path:
    """The one sheet of a workbook."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Rows")
    names = list(dict.fromkeys(name for row in rows for name in row))
    for cells in [names, *([row.get(name) for name in names] for row in rows)]:
        sheet.append(cells)
    book.save(folder / "rows.xlsx")
    return folder / "rows.xlsx"


def write_sqlite(folder: Path, rows: Rows) -> Path:
    """The table `rows` of a database; its columns have no types, as SQLite allows."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    connection = sqlite3.connect(folder / "rows.db")
    connection.execute(f"CREATE TABLE rows ({', '.join(names)})")
    marks = ", ".join("?" for _ in names)
    cells = [[row.get(name) for name in names] for row in rows]
    connection.executemany(f"INSERT INTO rows VALUES ({marks})", cells)
    connection.commit()
    connection.close()
    return folder / "rows.db"


def write_hugging_face(folder: Path, rows: Rows) -> Path:
    """A folder of `save_to_disk`; texts only."""
    import datasets

    datasets.disable_progress_bars()
    datasets.Dataset(pa.table(texts(rows))).save_to_disk(folder / "saved")
    return folder / "saved"


WRITERS: Mapping[str, Callable[[Path, Rows], Path]] = {
    **{name: lambda folder, rows, name=name: DELIMITED[name](folder, delimited(rows, tab(name))) for name in DELIMITED},
    **{name: lambda folder, rows, name=name: LINES[name](folder, lines(rows)) for name in LINES},
    "JSON": write_json,
    "Parquet": write_parquet,
    "Arrow": write_arrow,
    "Excel": write_excel,
    "SQL": write_sqlite,
    "Hugging Face": write_hugging_face,
}
TABLES = tuple(WRITERS)
KINDS = {"SQL": "sql", "Hugging Face": "hf", "event log": "log", "watched folder": "folder"}


def tab(name: str) -> str:
    """The separator of a source kind."""
    return "\t" if name == "TSV" else ","


def table_source(kind: str, path: Path, **declared: object) -> TableSource:
    """What a scenario says of such a table, with what is `declared` besides."""
    options: dict[str, object] = {"pattern": "*.jsonl"} if kind == "watched folder" else {}
    if kind == "SQL":
        options = {"url": f"sqlite:///{path}", "table": "rows", "query": None}
    settings = {
        "name": "rows",
        "kind": KINDS.get(kind, "table"),
        "paths": {"": path},
        "key": "id",
        "text": ("title",),
        "columns": {"price": "number", "label": "category"},
        "required": ("price",),
        "options": options,
    }
    return TableSource(**{**settings, **declared})
