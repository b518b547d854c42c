"""Kinds of sources that cannot be read at all: what is said instead of a stack trace."""

import gzip
import io
import json
import shutil
import sqlite3
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import openpyxl

from ingestion.readers.excel import OLD_FORMAT_MARK
from ingestion.sources import TableSource
from polyloom.errors import DataError, IntegrityError, PolyloomError, RequestError
from tests.support import broken_pictures
from tests.support.broken_lines import conll_source
from tests.support.broken_tables import (
    DELIMITED,
    LINES,
    TABLES,
    WRITERS,
    delimited,
    good_rows,
    in_inbox,
    lines,
    tab,
    table_source,
    write_excel,
    write_sqlite,
)

Writer = Callable[[Path], TableSource]
SIDE = 4


class BrokenFile(NamedTuple):
    """What is raised, a part of what it says, and how each source kind is written so."""

    error: type[PolyloomError]
    message: str
    writers: Mapping[str, Writer]


def idx_source(folder: Path, *, labels: int = 6, exchanged: bool = False) -> TableSource:
    """Six pictures and their labels."""
    pictures = struct.pack(">4I", 0x803, 6, SIDE, SIDE) + bytes(6 * SIDE * SIDE)
    names = ["pictures-idx3-ubyte", "labels-idx1-ubyte"]
    (folder / names[0]).write_bytes(pictures)
    (folder / names[1]).write_bytes(struct.pack(">2I", 0x801, labels) + bytes(labels))
    first, second = reversed(names) if exchanged else names
    return TableSource(
        name="rows",
        kind="idx",
        paths={"": folder / first},
        image="image",
        columns={"label": "category"},
        options={"labels": {"": str(folder / second)}},
    )


def whole(name: str) -> Writer:
    """A source of this kind with nothing wrong in it."""
    if name in TABLES:
        return lambda folder: table_source(name, WRITERS[name](folder, good_rows()))
    if name == "CoNLL":
        return lambda folder: conll_source(folder, b"the DT\nrow NN\n\n" * 6)
    if name == "IDX":
        return idx_source
    return lambda folder: broken_pictures.WRITERS[name](folder, broken_pictures.IMAGES)


def file_of(source: TableSource) -> Path:
    """The file that holds the rows."""
    path = source.paths[""]
    if source.kind == "hf":
        return next(path.glob("*.arrow"))
    if source.kind == "folder":
        return next(path.rglob("*.jsonl"))
    return path


def changed(names: tuple[str, ...], change: Callable[[Path], None]) -> dict[str, Writer]:
    """Sources that are written whole and then changed."""

    def write(name: str, folder: Path) -> TableSource:
        source = whole(name)(folder)
        change(file_of(source))
        return source

    return {name: lambda folder, name=name: write(name, folder) for name in names}


def gone(path: Path) -> None:
    """Nothing is left."""
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def cut(path: Path) -> None:
    """The last third is missing."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def holding(names: Mapping[str, bytes]) -> Callable[[Path], None]:
    """Other content under the same name."""

    def write(path: Path) -> None:
        path.write_bytes(next(content for ending, content in names.items() if path.name.endswith(ending)))

    return write


def refilled(content: bytes) -> Callable[[Path], None]:
    """The same content under every name."""
    return lambda path: path.write_bytes(content) and None


def text_files(content: Callable[[str], bytes], *, names: tuple[str, ...], **declared: object) -> dict[str, Writer]:
    """Files of CSV or JSONL with any content; `content` is asked with the kind's name."""
    places = {**DELIMITED, **LINES}
    return {
        name: lambda folder, name=name: table_source(name, places[name](folder, content(name)), **declared)
        for name in names
    }


def rows_in(name: str) -> bytes:
    """Good rows in the form of a kind."""
    return lines(good_rows()) if name in LINES else delimited(good_rows(), tab(name))


def without_rows(name: str) -> bytes:
    """The first line alone, or nothing."""
    return b"" if name in LINES else rows_in(name).split(b"\n")[0] + b"\n"


def json_file(content: bytes) -> dict[str, Writer]:
    """A JSON file with any content."""

    def write(folder: Path) -> TableSource:
        (folder / "rows.json").write_bytes(content)
        return table_source("JSON", folder / "rows.json")

    return {"JSON": write}


def coco_file(content: object) -> dict[str, Writer]:
    """A COCO file with any content."""

    def write(folder: Path) -> TableSource:
        source = whole("COCO")(folder)
        source.paths[""].write_text(json.dumps(content))
        return source

    return {"COCO": write}


def zip_of(*members: tuple[str, bytes]) -> Writer:
    """A zip file with these files."""

    def write(folder: Path) -> TableSource:
        with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members:
                archive.writestr(zipfile.ZipInfo(name), content, compress_type=zipfile.ZIP_DEFLATED)
        return table_source("zip", folder / "all.zip")

    return write


def tar_of(*members: tuple[str, bytes | None]) -> Writer:
    """A tar file with these files; one without content is a link."""

    def write(folder: Path) -> TableSource:
        with tarfile.open(folder / "all.tar", "w") as archive:
            for name, content in members:
                info = tarfile.TarInfo(name)
                info.size = len(content or b"")
                info.type = tarfile.REGTYPE if content is not None else tarfile.SYMTYPE
                info.linkname = "" if content is not None else "/etc/hostname"
                archive.addfile(info, io.BytesIO(content or b""))
        return table_source("tar", folder / "all.tar")

    return write


def locked_zip(folder: Path) -> TableSource:
    """A zip file that says that its file is locked with a password."""
    source = whole("zip")(folder)
    content = bytearray(source.paths[""].read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    source.paths[""].write_bytes(content)
    return source


def bomb(name: str) -> Writer:
    """A megabyte of zeros in a kilobyte."""
    content = bytes(2 << 20)
    if name == "zip":
        return zip_of(("rows.csv", content))

    def write(folder: Path) -> TableSource:
        (folder / "rows.csv.gz").write_bytes(gzip.compress(content))
        return table_source("gz", folder / "rows.csv.gz")

    return write


def header_twice(name: str) -> bytes:
    """Two columns of one name."""
    return rows_in(name).replace(b"label", b"title", 1)


def excel_twice(folder: Path) -> TableSource:
    """Two columns of one name."""
    return workbook(folder, lambda book: book.active.cell(row=1, column=4, value="title"))


def workbook(folder: Path, change: Callable[[openpyxl.Workbook], object]) -> TableSource:
    """A workbook that was changed."""
    path = write_excel(folder, good_rows())
    book = openpyxl.load_workbook(path)
    change(book)
    book.save(path)
    return table_source("Excel", path)


def two_sheets(folder: Path) -> TableSource:
    """Two sheets with values."""
    return workbook(folder, lambda book: book.create_sheet("More").append(["id"]))


def sql(key: str | None = "id", **options: object) -> dict[str, Writer]:
    """A database that is asked for something else."""

    def write(folder: Path) -> TableSource:
        url = f"sqlite:///{write_sqlite(folder, good_rows())}"
        return table_source("SQL", folder, key=key, options={"url": url, "table": None, "query": None, **options})

    return {"SQL": write}


def empty_sql(folder: Path) -> TableSource:
    """A table without rows."""
    path = write_sqlite(folder, good_rows())
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM rows")
    connection.commit()
    connection.close()
    return table_source("SQL", path)


def mixed(folder: Path) -> TableSource:
    """A watched folder with files of two kinds."""
    path = in_inbox(folder, rows_in("JSONL"))
    (path / "more.csv").write_bytes(rows_in("CSV"))
    return table_source("watched folder", path, options={"pattern": "*"})


def as_folder(name: str) -> Writer:
    """A folder in the place of the file."""

    def write(folder: Path) -> TableSource:
        source = whole(name)(folder)
        path = source.paths[""]
        path.unlink()
        path.mkdir()
        return source

    return write


def as_file(name: str) -> Writer:
    """A file in the place of the folder."""

    def write(folder: Path) -> TableSource:
        source = whole(name)(folder)
        shutil.rmtree(source.paths[""])
        source.paths[""].write_text("")
        return source

    return write


def emptied(name: str) -> Writer:
    """A folder with nothing in it."""

    def write(folder: Path) -> TableSource:
        source = whole(name)(folder)
        shutil.rmtree(source.paths[""])
        source.paths[""].mkdir()
        return source

    return write


def without_segment(folder: Path) -> TableSource:
    """An event log one of whose files was taken away."""
    source = whole("event log")(folder)
    next(source.paths[""].glob("*.jsonl")).unlink()
    return source


def state(content: str) -> Writer:
    """An event log whose own note was written by somebody else."""

    def write(folder: Path) -> TableSource:
        source = whole("event log")(folder)
        (source.paths[""] / "log.json").write_text(content)
        return source

    return write


TEXT_FILES = (*DELIMITED, "JSONL", "watched folder")
BINARY = ("gz", "bz2", "zip", "tar", "Parquet", "Arrow", "Excel", "SQL", "Hugging Face", "IDX")
FILES = (*TABLES, "CoNLL", "IDX", "COCO")
GOOD_CSV = rows_in("CSV")
FILE_KINDS: Mapping[str, BrokenFile] = {
    "there is no such file": BrokenFile(
        RequestError,
        "there is no",
        changed(
            tuple(
                name for name in (*FILES, *broken_pictures.PICTURES) if name not in {"Hugging Face", "watched folder"}
            ),
            gone,
        )
        | {
            "watched folder": lambda folder: table_source("watched folder", folder / "nowhere"),
            "Hugging Face": lambda folder: table_source("Hugging Face", folder / "nowhere"),
        },
    ),
    "file of 0 bytes": BrokenFile(
        DataError,
        "empty|holds no rows|0 bytes|not a readable|too early|not a whole",
        changed(tuple(name for name in FILES if name not in {"SQL", "event log"}), refilled(b"")),
    ),
    "file without rows": BrokenFile(
        DataError,
        "holds no|has no|empty",
        {
            **text_files(without_rows, names=TEXT_FILES),
            **json_file(b"[]"),
            "SQL": empty_sql,
            "Excel": lambda folder: table_source("Excel", write_excel(folder, [])),
            **{name: emptied(name) for name in ("picture folder", "VOC", "YOLO")},
            **coco_file({"images": [], "annotations": [], "categories": []}),
        },
    ),
    "no row that can be kept": BrokenFile(
        DataError,
        "so no row is left",
        text_files(lambda name: without_rows(name) + (b"{}\n" if name in LINES else b"x\n"), names=TEXT_FILES),
    ),
    "file cut short": BrokenFile(
        DataError, "again|Repair|not a readable|Correct", changed((*BINARY, "JSON", "COCO"), cut)
    ),
    "another format under the name": BrokenFile(
        DataError,
        "not a|not whole|cannot be|starts with|Correct",
        changed((*BINARY, "JSON", "COCO"), refilled(b"Dear reader,\n" * 300)),
    ),
    "declared column is missing": BrokenFile(
        DataError,
        "no column 'titel'.*Did you mean 'title'",
        {
            name: lambda folder, name=name: table_source(name, WRITERS[name](folder, good_rows()), text=("titel",))
            for name in TABLES
        },
    ),
    "column named twice": BrokenFile(
        DataError, "twice", {**text_files(header_twice, names=tuple(DELIMITED)), "Excel": excel_twice}
    ),
    "another separator": BrokenFile(
        DataError, "Is the separator ';'", text_files(lambda _: delimited(good_rows(), ";"), names=tuple(DELIMITED))
    ),
    "UTF-16 that nobody declared": BrokenFile(
        DataError,
        "declare `encoding: utf-16`",
        text_files(lambda name: rows_in(name).decode().encode("utf-16"), names=TEXT_FILES)
        | json_file("[]".encode("utf-16"))
        | {"CoNLL": lambda folder: conll_source(folder, "the DT\n".encode("utf-16"))},
    ),
    "column names outside the encoding": BrokenFile(
        DataError,
        "bytes that are not utf-8",
        text_files(lambda name: rows_in(name).replace(b"title", b"t\xeftle", 1), names=tuple(DELIMITED)),
    ),
    "declared encoding does not exist": BrokenFile(
        RequestError,
        "'utf-9' is not a text encoding",
        {
            name: lambda folder, name=name: table_source(name, WRITERS[name](folder, good_rows()), encoding="utf-9")
            for name in (*TEXT_FILES, "JSON")
        },
    ),
    "declared encoding does not fit": BrokenFile(
        DataError,
        "no column|no row is left|not whole",
        text_files(rows_in, names=TEXT_FILES, encoding="utf-16-le")
        | {"JSON": lambda folder: table_source("JSON", WRITERS["JSON"](folder, good_rows()), encoding="utf-16-le")},
    ),
    "JSON outside the encoding": BrokenFile(DataError, "not whole JSON", json_file(b'[{"id": "caf\xe9"}]')),
    "JSON nested too deeply": BrokenFile(DataError, "nested more than 100 deep", json_file(b"[" * 10_000)),
    "JSON number beyond reading": BrokenFile(
        DataError, "too many digits", json_file(b'[{"id": 1e99999999999999999999}]')
    ),
    "JSON without an array, or with two": BrokenFile(
        DataError, "has no array|has the arrays", json_file(b'{"a": [], "b": []}')
    ),
    "COCO without its lists": BrokenFile(DataError, "has no list 'annotations'", coco_file({"images": []})),
    "archive locked with a password": BrokenFile(DataError, "locked with a password", {"zip": locked_zip}),
    "path that leads out of an archive": BrokenFile(
        DataError,
        "leads out of the archive",
        {"zip": zip_of(("../rows.csv", GOOD_CSV)), "tar": tar_of(("../rows.csv", GOOD_CSV))},
    ),
    "link in an archive": BrokenFile(DataError, "is a link", {"tar": tar_of(("rows.csv", None))}),
    "archive that unpacks without end": BrokenFile(
        DataError, "like a zip bomb", {"zip": bomb("zip"), "gz": bomb("gz")}
    ),
    "archive of several tables, or of none": BrokenFile(
        RequestError,
        "name the one you mean",
        {"zip": zip_of(("a.csv", GOOD_CSV), ("b.csv", GOOD_CSV)), "tar": tar_of(("readme", GOOD_CSV))},
    ),
    "workbook of several sheets": BrokenFile(RequestError, "more than one sheet", {"Excel": two_sheets}),
    "old or locked workbook": BrokenFile(
        DataError, "old .xls file", changed(("Excel",), refilled(OLD_FORMAT_MARK + bytes(600)))
    ),
    "unknown ending": BrokenFile(
        RequestError,
        "Allowed endings",
        {"CSV": lambda folder: table_source("CSV", DELIMITED["CSV"](folder, GOOD_CSV).rename(folder / "rows.doc"))},
    ),
    "files of several kinds": BrokenFile(RequestError, "more than one kind", {"watched folder": mixed}),
    "no file fits the pattern": BrokenFile(
        RequestError, "no file matches", {"watched folder": emptied("watched folder")}
    ),
    "folder where a file belongs": BrokenFile(
        RequestError,
        "is a folder",
        {name: as_folder(name) for name in ("CSV", "JSONL", "Parquet", "CoNLL", "IDX", "COCO")},
    ),
    "file where a folder belongs": BrokenFile(
        RequestError,
        "is a file",
        {name: as_file(name) for name in ("picture folder", "Hugging Face", "event log", "VOC", "YOLO")},
    ),
    "folder of another origin": BrokenFile(
        DataError,
        "was not written by|no event log yet",
        {name: emptied(name) for name in ("Hugging Face", "event log")},
    ),
    "log with a segment missing": BrokenFile(IntegrityError, "missing or shorter", {"event log": without_segment}),
    "log whose note is damaged": BrokenFile(DataError, "log.json", {"event log": state("{")}),
    "pictures and labels do not pair": BrokenFile(
        DataError, "6 pictures but .* 5 labels", {"IDX": lambda folder: idx_source(folder, labels=5)}
    ),
    "pictures and labels exchanged": BrokenFile(
        DataError, "exchanged", {"IDX": lambda folder: idx_source(folder, exchanged=True)}
    ),
    "database without the table": BrokenFile(RequestError, "has no table 'row'.*Did you mean 'rows'", sql(table="row")),
    "query that writes": BrokenFile(RequestError, "does not read", sql(query="DELETE FROM rows")),
    "query that is refused": BrokenFile(DataError, "no such column", sql(query="SELECT absent FROM rows")),
    "query that names a column twice": BrokenFile(
        RequestError, "the column 'title' twice", sql(None, query="SELECT *, id AS title FROM rows")
    ),
    "address that is none": BrokenFile(RequestError, "no address of a database", sql(url="::", table="rows")),
}
