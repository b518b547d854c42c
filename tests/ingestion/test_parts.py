"""Parts are known once they are whole on the disk, some at a time, and at the end of every ingestion."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from ingestion import parts
from ingestion.checking import REFUSED_SCHEMA, Checked
from ingestion.parts import PartStore
from ingestion.readers import stretches
from ingestion.sources import TableSource
from polyloom.errors import IntegrityError, QuarantineError


def checked(number: int) -> Checked:
    return Checked(pa.table({"n": [number], "_key": [str(number)]}), REFUSED_SCHEMA.empty_table(), frozenset({"n"}))


def test_a_part_is_known_after_the_sync(tmp_path: Path) -> None:
    store = PartStore(tmp_path)
    part = store.put("a" * 64, checked(1), lines=1)
    assert PartStore(tmp_path).get("a" * 64) is None
    assert store.kept(part)["n"].to_pylist() == [1]
    store.sync()
    again = PartStore(tmp_path)
    assert again.get("a" * 64) == part
    assert again.profile(part) == store.profile(part)


def test_of_many_parts_few_wait_for_the_sync(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(parts, "SYNCED_TOGETHER", 3)
    store = PartStore(tmp_path)
    for number in range(8):
        store.put(str(number) * 64, checked(number))
    known = [PartStore(tmp_path).get(str(number) * 64) is not None for number in range(8)]
    assert known == [True] * 6 + [False] * 2


def test_a_record_of_files_that_are_gone_goes_before_new_ones_come(tmp_path: Path) -> None:
    store = PartStore(tmp_path)
    part = store.put("b" * 64, checked(1))
    store.sync()
    store.files(part)[0].unlink()
    assert store.get("b" * 64) is None
    store.put("b" * 64, checked(1))
    assert not (tmp_path / f"{'b' * 64}.json").exists()


def test_a_view_that_is_whole_is_not_touched_and_a_broken_one_is_mended(tmp_path: Path) -> None:
    store, view = PartStore(tmp_path), pa.table({"split": pa.array([0, 1], pa.int8())})
    sha256 = store.put_view(view)
    store.sync()
    path = tmp_path / f"{sha256}.view.parquet"
    inode = path.stat().st_ino
    assert store.put_view(view) == sha256
    assert path.stat().st_ino == inode
    path.write_bytes(b"")
    with pytest.raises(IntegrityError, match=rf"{path.name} is not what its snapshot recorded"):
        store.view(sha256)
    store.put_view(view)
    assert store.view(sha256).equals(view)


def test_what_a_stopped_ingestion_checked_is_not_checked_again(ingest, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(stretches, "CHUNK_BYTES", 200)
    rows = [{"id": n, "text": f"row {n}" if n % 3 else ""} for n in range(40)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = TableSource(name="t", paths={"": tmp_path / "rows.jsonl"}, key="id", text=("text",))
    with pytest.raises(QuarantineError):
        ingest(source, max_share=0.1)
    report = ingest(source, max_share=0.5).tables["t"]
    assert report.parts == report.parts_reused > 3
