"""What every reader must keep, whatever it reads: the same table of people and cities in each kind of source."""

import gzip
import io
import itertools
import json
import sqlite3
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ingestion.event_log import append
from ingestion.readers.archives import decompressed, split_member, unpacked_table
from ingestion.readers.arrow_file import ArrowReader
from ingestion.readers.boxes import BoxesReader
from ingestion.readers.conll import ConllReader
from ingestion.readers.documents import DocumentsReader
from ingestion.readers.event_log_reader import EventLogReader
from ingestion.readers.excel import ExcelReader
from ingestion.readers.hugging_face import HuggingFaceReader
from ingestion.readers.idx import IdxReader
from ingestion.readers.json_array import JsonArrayReader
from ingestion.readers.json_lines import JsonLinesReader
from ingestion.readers.parquet import ParquetReader
from ingestion.readers.reader import RawRow, Reader
from ingestion.readers.semeval import SemevalReader
from ingestion.readers.separated import SeparatedReader
from ingestion.readers.sql import SqlReader
from ingestion.readers.squad import SquadReader
from polyloom.errors import DataError, RequestError

NAMES = ["name", "city"]
PEOPLE = [{"name": "Ada", "city": "London"}, {"name": "伟", "city": "北京"}, {"name": "Zoë", "city": "Köln"}]
ROW_TEXT = 400
FEW, MANY = 2_000, 4_000
FEW_SLOW, MANY_SLOW = 500, 1_500


@dataclass(frozen=True)
class Kind:
    """How rows of `name` and `city` are written to a folder, and what reads them.

    `first` is the number of the first row, `source` what its rows are called. `of_pictures` are kinds that hold no
    such rows: there it is only counted. `damage` spoils what was written.
    """

    write: Callable[[Path, Iterable[dict]], Path]
    read: Callable[[Path], Reader]
    source: str
    first: int = 1
    of_pictures: bool = False
    damage: Callable[[Path], None] | None = None
    empty: Callable[[Path], None] | None = None


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def scribble(path: Path) -> None:
    path.write_bytes(b"\x00\xffno such format\x00" * 20)


def emptied(path: Path) -> None:
    if path.is_dir():
        for file in sorted(path.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
    else:
        path.write_bytes(b"")


def csv_text(rows: Iterable[dict]) -> str:
    return "".join(f"{row['name']},{row['city']}\n" for row in [dict(zip(NAMES, NAMES, strict=True)), *rows])


def write_csv(folder: Path, rows: Iterable[dict]) -> Path:
    (folder / "people.csv").write_text(csv_text(rows), encoding="utf-8")
    return folder / "people.csv"


def write_jsonl(folder: Path, rows: Iterable[dict]) -> Path:
    (folder / "people.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "people.jsonl"


def write_json(folder: Path, rows: Iterable[dict]) -> Path:
    (folder / "people.json").write_text(json.dumps({"version": 1.5, "people": list(rows)}, ensure_ascii=False), "utf-8")
    return folder / "people.json"


def columns(rows: Iterable[dict]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=pa.schema([(name, pa.string()) for name in NAMES]))


def write_parquet(folder: Path, rows: Iterable[dict]) -> Path:
    pq.write_table(columns(rows), folder / "people.parquet", row_group_size=500)
    return folder / "people.parquet"


def write_feather(folder: Path, rows: Iterable[dict]) -> Path:
    pa.feather.write_feather(columns(rows), folder / "people.arrow", compression="zstd", chunksize=500)
    return folder / "people.arrow"


def write_stream(folder: Path, rows: Iterable[dict]) -> Path:
    table = columns(rows)
    with pa.ipc.new_stream(folder / "people.arrows", table.schema) as stream:
        stream.write_table(table, max_chunksize=500)
    return folder / "people.arrows"


def write_excel(folder: Path, rows: Iterable[dict]) -> Path:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("People")
    for row in [NAMES, *([row[name] for name in NAMES] for row in rows)]:
        sheet.append(row)
    book.save(folder / "people.xlsx")
    return folder / "people.xlsx"


def write_sqlite(folder: Path, rows: Iterable[dict]) -> Path:
    connection = sqlite3.connect(folder / "people.db")
    connection.execute("CREATE TABLE people (name TEXT, city TEXT)")
    connection.executemany("INSERT INTO people VALUES (:name, :city)", list(rows))
    connection.commit()
    connection.close()
    return folder / "people.db"


def write_log(folder: Path, rows: Iterable[dict]) -> Path:
    rows = list(rows)
    append(folder / "people", rows[:2])
    append(folder / "people", rows[2:])
    return folder / "people"


def write_hugging_face(folder: Path, rows: Iterable[dict]) -> Path:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    datasets.Dataset(columns(rows)).save_to_disk(folder / "people")
    return folder / "people"


def damage_hugging_face(path: Path) -> None:
    cut(next(path.glob("*.arrow")))


def write_zip(folder: Path, rows: Iterable[dict]) -> Path:
    with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data/people.csv", csv_text(rows))
    return folder / "all.zip"


def write_tar(folder: Path, rows: Iterable[dict]) -> Path:
    content = csv_text(rows).encode()
    with tarfile.open(folder / "all.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("data/people.csv")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return folder / "all.tar.gz"


def write_gzip(folder: Path, rows: Iterable[dict]) -> Path:
    (folder / "people.csv.gz").write_bytes(gzip.compress(csv_text(rows).encode()))
    return folder / "people.csv.gz"


def read_archive(path: Path) -> Reader:
    outer, member = split_member(str(path))
    return read_csv(unpacked_table(Path(outer), member=member, cache=path.parent / "cache"))


def read_csv(path: Path) -> Reader:
    return SeparatedReader(path, encoding="utf-8", separator=",")


def write_conll(folder: Path, rows: Iterable[dict]) -> Path:
    text = "".join(f"{row['name']}\t{row['city']}\n\n" for row in rows)
    (folder / "people.txt").write_text(f"-DOCSTART-\n\n{text}", encoding="utf-8")
    return folder / "people.txt"


def write_semeval(folder: Path, rows: Iterable[dict]) -> Path:
    text = "".join(f'{row["name"]}\t"{row["city"]}"\nOther\nComment:\n\n' for row in rows)
    (folder / "people.txt").write_text(text, encoding="utf-8")
    return folder / "people.txt"


def write_squad(folder: Path, rows: Iterable[dict]) -> Path:
    articles = [
        {"paragraphs": [{"context": row["city"], "qas": [{"question": row["name"], "answers": []}]}]} for row in rows
    ]
    (folder / "people.json").write_text(json.dumps({"version": "1.1", "data": articles}, ensure_ascii=False), "utf-8")
    return folder / "people.json"


class Renamed:
    """A reader whose columns have fixed names, with two of them called `name` and `city`."""

    def __init__(self, reader: Reader, name: str, city: str) -> None:
        self._reader = reader
        self._names = {name: "name", city: "city"}

    def header(self) -> frozenset[str]:
        return frozenset(self._names.get(column, column) for column in self._reader.header())

    def rows(self) -> Iterable[RawRow]:
        for row in self._reader.rows():
            values = {self._names.get(column, column): value for column, value in row.values.items()}
            yield replace(row, values=values)


def write_documents(folder: Path, rows: Iterable[dict]) -> Path:
    (folder / "people").mkdir()
    for number, row in enumerate(rows):
        (folder / f"people/{number:05}.md").write_text(f"# {row['name']}\n{row['city']}", encoding="utf-8")
    return folder / "people"


class Documented(Renamed):
    """A reader of documents whose passages are a heading, the name, and a line, the city."""

    def __init__(self, path: Path) -> None:
        super().__init__(DocumentsReader(path), "heading", "text")

    def rows(self) -> Iterable[RawRow]:
        for row in super().rows():
            yield replace(row, values={**row.values, "city": row.values["city"].partition("\n")[2]})


def write_idx(folder: Path, rows: Iterable[dict]) -> Path:
    rows = list(rows)
    pixels = bytes(len(rows) * 16 * 16)
    (folder / "digits-idx3-ubyte.gz").write_bytes(
        gzip.compress(struct.pack(">4I", 0x803, len(rows), 16, 16) + pixels, 1)
    )
    (folder / "labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, len(rows)) + bytes(len(rows)))
    return folder / "digits-idx3-ubyte.gz"


def write_coco(folder: Path, rows: Iterable[dict]) -> Path:
    rows = list(rows)
    Image.new("RGB", (32, 16)).save(folder / "one.png")
    images = [{"id": n, "file_name": "one.png", "width": 32, "height": 16} for n in range(len(rows))]
    boxes = [{"id": n, "image_id": n, "category_id": 5, "bbox": [1, 2, 3, 4]} for n in range(len(rows))]
    content = {"categories": [{"id": 5, "name": "猫"}], "annotations": boxes, "images": images}
    (folder / "boxes.json").write_text(json.dumps(content))
    return folder / "boxes.json"


def write_yolo(folder: Path, rows: Iterable[dict]) -> Path:
    for part in ("images", "labels"):
        (folder / "yolo" / part).mkdir(parents=True)
    one = io.BytesIO()
    Image.new("RGB", (32, 16)).save(one, "PNG")
    for number, _ in enumerate(rows):
        (folder / f"yolo/images/{number:05}.png").write_bytes(one.getvalue())
        (folder / f"yolo/labels/{number:05}.txt").write_text("0 0.5 0.5 0.25 0.25\n")
    return folder / "yolo"


def write_voc(folder: Path, rows: Iterable[dict]) -> Path:
    (folder / "voc/Annotations").mkdir(parents=True)
    Image.new("RGB", (32, 16)).save(folder / "voc/one.png")
    box = "<object><name>猫</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>4</xmax><ymax>6</ymax></bndbox></object>"
    for number, _ in enumerate(rows):
        text = f"<annotation><filename>one.png</filename>{box}</annotation>"
        (folder / f"voc/Annotations/{number:05}.xml").write_text(text, encoding="utf-8")
    return folder / "voc"


def boxes(layout: str) -> Callable[[Path], Reader]:
    return lambda path: BoxesReader(path, layout=layout)


KINDS = {
    "csv": Kind(write_csv, read_csv, "people.csv", first=2, empty=emptied),
    "jsonl": Kind(write_jsonl, lambda path: JsonLinesReader(path, encoding="utf-8"), "people.jsonl"),
    "json": Kind(write_json, JsonArrayReader, "people.json", damage=cut, empty=emptied),
    "parquet": Kind(
        write_parquet,
        lambda path: ParquetReader(path, columns=NAMES, image=None),
        "people.parquet",
        damage=cut,
        empty=emptied,
    ),
    "feather": Kind(write_feather, ArrowReader, "people.arrow", damage=cut, empty=emptied),
    "arrow stream": Kind(write_stream, ArrowReader, "people.arrows", damage=scribble, empty=emptied),
    "excel": Kind(write_excel, ExcelReader, 'people.xlsx, sheet "People"', first=2, damage=cut, empty=emptied),
    "sqlite": Kind(
        write_sqlite, lambda path: SqlReader(f"sqlite:///{path}", table="people"), "table people", damage=scribble
    ),
    "event log": Kind(write_log, EventLogReader, "00000001.jsonl", empty=emptied),
    "hugging face": Kind(write_hugging_face, HuggingFaceReader, "people", damage=damage_hugging_face, empty=emptied),
    "zip": Kind(write_zip, read_archive, "all.zip!people.csv", first=2, damage=cut, empty=emptied),
    "tar.gz": Kind(write_tar, read_archive, "all.tar.gz!people.csv", first=2, damage=cut, empty=emptied),
    "gzip": Kind(
        write_gzip,
        lambda path: read_csv(decompressed(path, cache=path.parent / "cache")),
        "people.csv.gz!people.csv",
        first=2,
        damage=cut,
        empty=emptied,
    ),
    "conll": Kind(write_conll, lambda path: ConllReader(path, columns=NAMES), "people.txt", first=3, empty=emptied),
    "semeval": Kind(
        write_semeval, lambda path: Renamed(SemevalReader(path), "id", "sentence"), "people.txt", empty=emptied
    ),
    "squad": Kind(
        write_squad,
        lambda path: Renamed(SquadReader(path), "question", "context"),
        "people.json",
        damage=cut,
        empty=emptied,
    ),
    "documents": Kind(write_documents, Documented, "00000.md", empty=emptied),
    "idx": Kind(
        write_idx,
        lambda path: IdxReader(path, labels=path.with_name("labels-idx1-ubyte")),
        "digits-idx3-ubyte.gz",
        of_pictures=True,
        damage=cut,
        empty=emptied,
    ),
    "coco": Kind(write_coco, boxes("coco"), "boxes.json", of_pictures=True, damage=cut, empty=emptied),
    "yolo": Kind(write_yolo, boxes("yolo"), "labels/00000.txt", of_pictures=True, empty=emptied),
    "voc": Kind(write_voc, boxes("voc"), "Annotations/00000.xml", of_pictures=True, empty=emptied),
}
# A long row in a folder of small files says nothing about memory, and to write thousands takes long.
STREAMED = sorted(set(KINDS) - {"yolo", "voc", "documents"})


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def plain(value: object) -> object:
    """A sentence of one token as its text."""
    return value[0] if isinstance(value, list) else value


def test_rows_come_in_order_with_their_origin(kind: Kind, tmp_path: Path) -> None:
    rows = list(kind.read(kind.write(tmp_path, PEOPLE)).rows())
    assert len(rows) == len(PEOPLE)
    assert (rows[0].source, rows[0].number) == (kind.source, kind.first)
    assert len({(row.source, row.number) for row in rows}) == len(rows)
    assert [row.refusal for row in rows] == [None] * len(rows)
    if not kind.of_pictures:
        assert [{name: plain(row.values[name]) for name in NAMES} for row in rows] == PEOPLE


def test_header_equals_the_rows_keys(kind: Kind, tmp_path: Path) -> None:
    reader = kind.read(kind.write(tmp_path, PEOPLE))
    header = reader.header()
    keys = {frozenset(row.values) for row in reader.rows()}
    assert len(keys) == 1
    assert header in {None, *keys}


def test_rows_can_be_read_twice_and_by_halves(kind: Kind, tmp_path: Path) -> None:
    reader = kind.read(kind.write(tmp_path, PEOPLE))
    half = reader.rows()
    first = next(half)
    whole = list(reader.rows())
    assert whole[0] == first
    assert [first, *half] == whole


def read_whole(kind: Kind, path: Path) -> None:
    reader = kind.read(path)
    reader.header()
    list(reader.rows())


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.empty])
def test_an_empty_source_is_named(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    path = kind.write(tmp_path, PEOPLE)
    kind.empty(path)
    with pytest.raises(DataError) as caught:
        read_whole(kind, path)
    assert path.name in str(caught.value)
    assert any(word in str(caught.value) for word in ("empty", "holds no", "too early", "not a readable"))


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.damage])
def test_a_damaged_source_says_which_and_what_to_do(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    path = kind.write(tmp_path, [{"name": f"{number}" * 3, "city": "Köln"} for number in range(500)])
    kind.damage(path)
    with pytest.raises(DataError) as caught:
        read_whole(kind, path)
    message = str(caught.value)
    assert path.name in message
    assert any(word in message for word in ("again", "Repair", "Correct")) or name == "parquet"
    assert "Traceback" not in message


@pytest.mark.parametrize("name", list(KINDS))
def test_a_missing_source_is_no_stack_trace_of_an_engine(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    path = kind.write(tmp_path, PEOPLE)
    gone = path.with_name(f"gone{''.join(path.suffixes)}")
    with pytest.raises((DataError, RequestError, FileNotFoundError), match="gone"):
        list(kind.read(gone).rows())


@pytest.mark.parametrize("name", STREAMED)
def test_memory_does_not_grow_with_the_source(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    texts = itertools.cycle([letter * ROW_TEXT for letter in "abcdefgh"])
    peaks = []
    few, many = (FEW_SLOW, MANY_SLOW) if kind.of_pictures else (FEW, MANY)
    if name == "excel":
        # openpyxl's list of elements grows by leaps, which weigh less the longer it is.
        few, many = MANY, 2 * MANY
    for rows in (few, many):
        folder = tmp_path / str(rows)
        folder.mkdir()
        path = kind.write(folder, ({"name": str(n), "city": next(texts)} for n in range(rows)))
        peaks.append(peak(kind, path, rows))
    # COCO's boxes have to wait for their images; openpyxl keeps an emptied element for each row.
    allowed = {"coco": 600, "excel": 800}.get(name, 60)
    assert peaks[1] - peaks[0] < allowed * (many - few), peaks


def peak(kind: Kind, path: Path, rows: int) -> int:
    """Peak bytes while all rows are read and let go."""
    for _ in itertools.islice(kind.read(path).rows(), 1):
        pass
    tracemalloc.start()
    try:
        assert sum(1 for _ in kind.read(path).rows()) == rows
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
