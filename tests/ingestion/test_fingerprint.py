import os
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.fingerprint import source_fingerprint
from ingestion.sources import TableSource
from polyloom.errors import RequestError


@pytest.fixture
def source(tmp_path: Path, picture) -> TableSource:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat/1.png").write_bytes(picture())
    (tmp_path / "rows.csv").write_text("id,text,picture\n1,one,cat/1.png\n2,two,gone.png\n")
    return TableSource(name="t", paths={"": tmp_path / "rows.csv"}, key="id", text=("text",), image="picture")


def folder_source(tmp_path: Path) -> TableSource:
    return TableSource(name="t", kind="pictures", paths={"": tmp_path}, image="image", columns={"label": "category"})


def test_stays_as_long_as_nothing_changes(source: TableSource, tmp_path: Path) -> None:
    assert source_fingerprint([source]) == source_fingerprint([source])
    os.utime(tmp_path / "rows.csv", ns=(1, 1))
    assert source_fingerprint([source]) == source_fingerprint([source])


@pytest.mark.parametrize("change", ["table", "picture", "picture appears", "declaration"])
def test_moves_with_every_change(source: TableSource, tmp_path: Path, picture, change: str) -> None:
    before = source_fingerprint([source])
    if change == "table":
        (tmp_path / "rows.csv").write_text((tmp_path / "rows.csv").read_text().replace("one", "uno"))
    elif change == "picture":
        os.utime(tmp_path / "cat/1.png", ns=(1, 1))
    elif change == "picture appears":
        (tmp_path / "gone.png").write_bytes(picture())
    else:
        source = replace(source, required=("text",))
    assert source_fingerprint([source]) != before


def test_a_picture_folder_moves_with_its_files(source: TableSource, tmp_path: Path, picture) -> None:
    before = source_fingerprint([folder_source(tmp_path)])
    (tmp_path / "cat/2.png").write_bytes(picture())
    assert source_fingerprint([folder_source(tmp_path)]) != before


def test_pictures_inside_parquet_count_by_the_file(tmp_path: Path, picture) -> None:
    pq.write_table(pa.table({"png": pa.array([picture()], pa.binary())}), tmp_path / "rows.parquet")
    source = TableSource(name="t", paths={"": tmp_path / "rows.parquet"}, image="png")
    before = source_fingerprint([source])
    pq.write_table(pa.table({"png": pa.array([picture("blue")], pa.binary())}), tmp_path / "rows.parquet")
    assert source_fingerprint([source]) != before


def test_a_missing_source_is_told(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"there is no .*gone.csv"):
        source_fingerprint([TableSource(name="t", paths={"": tmp_path / "gone.csv"})])
