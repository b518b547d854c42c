import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion import picture_intake
from ingestion.snapshots import open_snapshot
from ingestion.sources import TableSource
from polyloom.errors import RequestError


@pytest.fixture
def root(tmp_path: Path, picture: Callable[..., bytes]) -> Path:
    for name in ("cat/1.png", "cat/deep/2.png", "dog/1.png", "狗/1.png"):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture("red", size=(8, 8 + len(name))))
    return tmp_path / "pictures"


def source(**paths: Path) -> TableSource:
    given = {split.removesuffix("_all"): path for split, path in paths.items()}
    return TableSource(name="t", kind="pictures", paths=given, image="image", columns={"label": "category"})


def one(root: Path) -> TableSource:
    return TableSource(name="t", kind="pictures", paths={"": root}, image="image", columns={"label": "category"})


def test_a_class_is_a_folder_and_a_key_a_path(root: Path, ingest) -> None:
    table = open_snapshot(ingest(one(root)).folder).table("t").to_pylist()
    labels = {row["_key"]: row["label"] for row in table}
    assert labels == {"cat/1.png": "cat", "cat/deep/2.png": "cat", "dog/1.png": "dog", "狗/1.png": "狗"}
    assert [row["_source"] for row in table] == [row["_key"] for row in table]


def test_other_files_are_refused_in_a_class_and_left_beside_it(root: Path, ingest, picture) -> None:
    (root / "cat/notes.txt").write_text("hello")
    (root / "cat/.DS_Store").write_bytes(b"x")
    (root / "README.txt").write_text("hello")
    (root / "lonely.png").write_bytes(picture("blue"))
    report = ingest(one(root))
    assert report.tables["t"].reasons == {"not_a_picture": 1}
    labels = {row["_key"]: row["label"] for row in open_snapshot(report.folder).table("t").to_pylist()}
    assert labels["lonely.png"] is None
    targets = {"t": ["label"]}
    assert ingest(one(root), rare_labels=targets).tables["t"].reasons["missing_value"] == 1


def test_the_same_path_in_two_splits_is_two_rows(root: Path, ingest) -> None:
    table = open_snapshot(ingest(source(train=root / "cat", test=root / "dog")).folder).table("t")
    assert set(table.column("_key").to_pylist()) == {"train/1.png", "train/deep/2.png", "test/1.png"}


def test_an_unchanged_picture_is_not_opened_again(root: Path, ingest, monkeypatch) -> None:
    decoded: list[bytes] = []
    check = picture_intake.picture_refusal
    monkeypatch.setattr(picture_intake, "picture_refusal", lambda content: decoded.append(content) or check(content))
    first = ingest(one(root))
    assert len(decoded) == 3
    for path in root.rglob("*.png"):
        path.chmod(0)
    second = ingest(one(root)) if os.geteuid() else first
    assert second.id == first.id
    for path in root.rglob("*.png"):
        path.chmod(0o644)
    (root / "cat/1.png").write_bytes((root / "cat/1.png").read_bytes()[:-30])
    third = ingest(one(root))
    assert len(decoded) == 4
    assert third.tables["t"].reasons == {"picture_truncated": 1}


def test_a_blob_that_a_power_cut_emptied_is_written_again(root: Path, ingest, tmp_path: Path) -> None:
    ingest(one(root))
    blob = next(path for path in (tmp_path / "blobs").glob("??/*"))
    whole = blob.read_bytes()
    blob.write_bytes(b"")
    ingest(one(root))
    assert blob.read_bytes() == whole


def test_pictures_of_a_table_lie_beside_it(root: Path, ingest, picture) -> None:
    (root / "empty.png").write_bytes(b"")
    (root / "rows.csv").write_text("id,picture\n1,cat/1.png\n2,gone.png\n3,empty.png\n4,\n5,cat/1.png\n6,cat\n")
    report = ingest(TableSource(name="t", paths={"": root / "rows.csv"}, key="id", image="picture"))
    table = {row["_key"]: row["picture"] for row in open_snapshot(report.folder).table("t").to_pylist()}
    assert set(table) == {"1", "4", "5"}
    assert table["1"] == table["5"]
    assert table["4"] is None
    assert report.tables["t"].reasons == {"picture_empty": 1, "picture_missing": 2}
    messages = open_snapshot(report.folder).quarantine().column("message").to_pylist()
    assert "gone.png' cannot be opened: No such file or directory" in messages[0]


def test_a_file_is_no_picture_folder(root: Path, ingest) -> None:
    with pytest.raises(RequestError, match=r"1.png is a file; `kind: pictures` needs a folder of class folders"):
        ingest(one(root / "cat/1.png"))


def test_a_folder_is_no_table(root: Path, ingest) -> None:
    with pytest.raises(RequestError, match="is a folder; `kind: table` needs a file"):
        ingest(TableSource(name="t", paths={"": root}, text=("a",)))


def test_an_address_that_is_none_costs_its_row_alone(root: Path, ingest) -> None:
    (root / "rows.csv").write_text("id,picture\n1,cat/1.png\n2,http://[::1/b.png\n3,ftpx://host/c.png\n")
    report = ingest(TableSource(name="t", paths={"": root / "rows.csv"}, key="id", image="picture"))
    assert (report.rows_kept, dict(report.tables["t"].reasons)) == (1, {"picture_missing": 2})
