from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.snapshots import open_snapshot
from ingestion.sources import TableSource
from polyloom.errors import DataError


def write(path: Path, **columns: object) -> dict[str, Path]:
    pq.write_table(pa.table(columns), path)
    return {"": path}


def test_types_of_a_column_become_those_declared(tmp_path: Path, ingest) -> None:
    paths = write(
        tmp_path / "rows.parquet",
        id=[1, 2],
        label=pa.array([3.0, None]),
        price=pa.array(["1.5", " 2e1 "]),
        at=pa.array([datetime(2026, 1, 1, tzinfo=UTC), None], pa.timestamp("ns")),
        tags=[["a", "b", "a"], []],
        extra=[0, 0],
    )
    kinds = {"label": "category", "price": "number", "at": "time", "tags": "labels"}
    report = ingest(TableSource(name="t", paths=paths, key="id", columns=kinds))
    table = open_snapshot(report.folder).table("t")
    assert table.column("_key").to_pylist() == ["1", "2"]
    assert table.column("label").to_pylist() == ["3", None]
    assert table.column("price").to_pylist() == [1.5, 20.0]
    assert table.column("tags").to_pylist() == [["a", "b"], []]
    assert table.schema.field("at").type == pa.timestamp("us", tz="UTC")
    assert str(table.column("at")[0]) == "2026-01-01 00:00:00+00:00"
    assert report.tables["t"].columns_ignored == ("extra",)


def test_values_that_python_cannot_hold_refuse_their_row(tmp_path: Path, ingest) -> None:
    bad_text = pa.array([b"fine", b"\xff\xfe"], pa.binary()).cast(pa.string(), safe=False)
    far = pa.array([0, 2**62], pa.int64()).cast(pa.timestamp("us"))
    paths = write(tmp_path / "rows.parquet", text=bad_text)
    report = ingest(TableSource(name="t", paths=paths, text=("text",)))
    assert report.tables["t"].reasons == {"bad_encoding": 1}
    paths = write(tmp_path / "times.parquet", at=far)
    assert ingest(TableSource(name="t", paths=paths, columns={"at": "time"})).tables["t"].reasons == {"wrong_type": 1}


def test_a_file_that_is_no_parquet(tmp_path: Path, ingest) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match=r"rows.parquet is not a readable Parquet file"):
        ingest(TableSource(name="t", paths={"": tmp_path / "rows.parquet"}, text=("a",)))


def test_a_damaged_page(tmp_path: Path, ingest) -> None:
    path = write(tmp_path / "rows.parquet", a=[f"text {number}" for number in range(5000)])[""]
    content = bytearray(path.read_bytes())
    content[100:2000] = bytes(1900)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"rows.parquet is damaged"):
        ingest(TableSource(name="t", paths={"": path}, text=("a",)))


def test_pictures_in_a_column_become_blobs(tmp_path: Path, ingest, picture) -> None:
    red, blue = picture("red"), picture("blue")
    broken = [b"", b"no picture", blue[:-30], None]
    paths = write(tmp_path / "rows.parquet", n=[1.0] * 7, png=pa.array([red, blue, red, *broken], pa.binary()))
    source = TableSource(name="t", paths=paths, image="png", columns={"n": "number"})
    report = ingest(source)
    assert report.tables["t"].reasons == {"not_a_picture": 1, "picture_empty": 1, "picture_truncated": 1}
    first, second, third, without = open_snapshot(report.folder).table("t").column("png").to_pylist()
    assert (first, without) == (third, None)
    assert (tmp_path / "blobs" / first[:2] / first).read_bytes() == red
    assert (tmp_path / "blobs" / second[:2] / second).read_bytes() == blue
    contents = open_snapshot(report.folder).quarantine().column("content").to_pylist()
    assert '{"n": 1.0, "png": "<picture of 0 bytes>"}' in contents
