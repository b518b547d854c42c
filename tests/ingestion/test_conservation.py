"""No row vanishes, whatever a file holds."""

import contextlib
import json
import math
import re
import sqlite3
import tempfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather

from ingestion.snapshots import open_snapshot, take_snapshot
from ingestion.sources import TableSource
from polyloom.errors import DataError

NASTY = st.sampled_from(["", "a", "b", "7", "NaN", "中", '"', ",", "\n", "\r", "\0", "\ud800", "1e999", "null", " "])
VALUE = st.one_of(
    NASTY, st.text(max_size=4), st.integers(-3, 3), st.floats(), st.booleans(), st.none(), st.lists(NASTY, max_size=2)
)
OBJECTS = st.lists(
    st.fixed_dictionaries({"id": VALUE, "text": VALUE, "n": VALUE, "label": VALUE}), min_size=1, max_size=12
)
KINDS = {"n": "number", "label": "category"}
NAMES = ("id", "text", "n", "label")
WHOLE_TEXT = st.one_of(NASTY, st.text(max_size=4)).filter(lambda text: text == text.encode(errors="replace").decode())
TEXTS = st.lists(st.fixed_dictionaries(dict.fromkeys(NAMES, WHOLE_TEXT | st.none())), min_size=1, max_size=12)
ALL_TEXT = pa.schema([(name, pa.string()) for name in NAMES])
CELL = st.one_of(WHOLE_TEXT, st.integers(-(2**63), 2**63 - 1), st.floats(), st.none(), st.binary(max_size=3))
ROW_OF_CELLS = st.fixed_dictionaries(dict.fromkeys(NAMES, CELL))
NOT_IN_EXCEL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]|^=")


def conserve(
    path: Path,
    *,
    rows: int | None = None,
    key: str | None = None,
    sample: int | None = None,
    kind="table",
    options=None,
) -> None:
    source = TableSource(
        name="t",
        kind=kind,
        paths={"": path},
        key=key,
        text=("text",),
        columns=KINDS,
        sample={"train": sample} if sample else {},
        options=options or {},
    )
    report = None
    with contextlib.suppress(DataError):
        report = take_snapshot(
            scenario="toy",
            tables=[source],
            store=path.parent / "snapshots",
            blobs=path.parent / "blobs",
            max_share=1.0,
            fractions={"validation": 0.2, "test": 0.2},
            seed=1,
            rare_labels={"t": ["label"]},
        )
    if report is None:
        # Nothing was kept; the refused rows say why.
        if rows == 0:
            return
        refused = pq.read_table(path.parent / "snapshots" / "toy" / "refused.parquet")
        assert rows is None or sample or refused.num_rows == rows
        return
    snapshot = open_snapshot(report.folder)
    kept, refused = snapshot.table("t"), snapshot.quarantine()
    table = report.tables["t"]
    assert (table.rows_in, table.rows_kept) == (kept.num_rows + refused.num_rows, kept.num_rows)
    assert rows is None or table.rows_available == rows
    assert rows is None or sample or table.rows_in == rows
    keys = kept.column("_key").to_pylist()
    assert len(set(keys)) == len(keys)
    lines = [*kept.column("_row").to_pylist(), *refused.column("row").to_pylist()]
    assert len(set(lines)) == len(lines)


@settings(max_examples=100, deadline=None)
@given(objects=OBJECTS, key=st.sampled_from(["id", None]), sample=st.sampled_from([None, None, 3]))
def test_jsonl(objects, key, sample) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in objects))
        conserve(path, rows=len(objects), key=key, sample=sample)


@settings(max_examples=150, deadline=None)
@given(
    body=st.binary(max_size=60)
    | st.lists(st.sampled_from([b'"', b",", b"\n", b"\r\n", b"a", b"\xff", b"1", b"\0"]), max_size=60).map(b"".join)
)
def test_csv_of_any_bytes(body) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        path.write_bytes(b"text,n,label\nfine,1,x\nfine too,2,x\n" + body)
        conserve(path)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), size=st.integers(1, 12))
def test_parquet_of_any_types(data, size) -> None:
    column = st.sampled_from(
        [
            st.lists(st.binary(max_size=4) | st.none(), min_size=size, max_size=size).map(
                lambda v: pa.array(v, pa.binary())
            ),
            st.lists(st.integers(-(2**63), 2**63 - 1), min_size=size, max_size=size).map(
                lambda v: pa.array(v).cast(pa.timestamp("us"))
            ),
            st.lists(st.floats() | st.none(), min_size=size, max_size=size).map(lambda v: pa.array(v, pa.float64())),
            st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), min_size=size, max_size=size).map(
                lambda v: pa.array(v, pa.string())
            ),
            st.lists(st.booleans(), min_size=size, max_size=size).map(lambda v: pa.array(v, pa.bool_())),
        ]
    ).flatmap(lambda strategy: strategy)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        pq.write_table(pa.table({name: data.draw(column) for name in ("id", "text", "n", "label")}), path)
        conserve(path, rows=size)


def in_excel(value: object) -> object:
    """A value as a cell can hold it."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, bytes | str):
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        return NOT_IN_EXCEL.sub("", text) or None
    return value


@settings(max_examples=25, deadline=None)
@given(objects=OBJECTS, key=st.sampled_from(["id", None]))
def test_json_array(objects, key) -> None:
    # JSON itself knows no NaN, and no half of a character.
    text = json.dumps(objects).replace("NaN", "null").replace("-Infinity", "-1e999").replace("Infinity", "1e999")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.json"
        path.write_text(text)
        conserve(path, rows=len(objects), key=key)


@settings(max_examples=25, deadline=None)
@given(objects=TEXTS, key=st.sampled_from(["id", None]), rows_in_batch=st.integers(1, 5))
def test_arrow(objects, key, rows_in_batch) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.arrow"
        feather.write_feather(pa.Table.from_pylist(objects, schema=ALL_TEXT), path, chunksize=rows_in_batch)
        conserve(path, rows=len(objects), key=key)


@settings(max_examples=25, deadline=None)
@given(objects=st.lists(ROW_OF_CELLS, min_size=1, max_size=12), key=st.sampled_from(["id", None]))
def test_sqlite(objects, key) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.db"
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE t (id, text, n, label)")
        connection.executemany("INSERT INTO t VALUES (:id, :text, :n, :label)", objects)
        connection.commit()
        connection.close()
        conserve(path, rows=len(objects), key=key, kind="sql", options={"url": f"sqlite:///{path}", "table": "t"})


@settings(max_examples=12, deadline=None)
@given(objects=st.lists(ROW_OF_CELLS, min_size=1, max_size=8), key=st.sampled_from(["id", None]))
def test_excel(objects, key) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.xlsx"
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet("t")
        sheet.append(list(objects[0]))
        for one in objects:
            sheet.append([in_excel(value) for value in one.values()])
        book.save(path)
        # A row whose cells are all empty is none to Excel.
        conserve(path, rows=sum(any(in_excel(value) is not None for value in one.values()) for one in objects), key=key)
