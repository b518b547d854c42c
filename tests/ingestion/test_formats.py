"""Snapshots that another version of polyloom wrote: told, replaced by the next ingestion, collected."""

import json
from pathlib import Path

import pytest

from ingestion.collection import collect
from ingestion.forget import forget
from ingestion.history import list_snapshots
from ingestion.part_making import FORMAT
from ingestion.snapshots import current_snapshot, open_snapshot
from ingestion.sources import TableSource
from polyloom.errors import IntegrityError


@pytest.fixture
def source(tmp_path: Path) -> TableSource:
    lines = [f"{number},text {number},2026-01-{number + 1:02d}\n" for number in range(20)]
    (tmp_path / "rows.csv").write_text("id,text,at\n" + "".join(lines))
    return TableSource(
        name="t", paths={"": tmp_path / "rows.csv"}, key="id", text=("text",), columns={"at": "time"}, time_split="at"
    )


@pytest.fixture
def older(ingest, source: TableSource) -> Path:
    """A snapshot as the version before wrote it, as far as anybody may look into it."""
    folder = ingest(source).folder
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["tables"]["t"]["views"]
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format": FORMAT - 1}))
    renamed = folder.rename(folder.with_name("0" * 64))
    (folder.parent / "current.json").write_text(json.dumps({"id": renamed.name}))
    return renamed


def test_it_is_told_and_the_next_ingestion_takes_its_place(ingest, source: TableSource, older: Path) -> None:
    told = rf"was written by another version of polyloom: it has format {FORMAT - 1}, this one reads {FORMAT}. Ingest"
    with pytest.raises(IntegrityError, match=told):
        open_snapshot(older)
    boundaries = json.loads((older / "manifest.json").read_text())["tables"]["t"]["boundaries"]
    with Path(source.paths[""]).open("a") as stream:
        stream.write("new,text,2026-03-01\n")
    report = ingest(source)
    assert current_snapshot(older.parent.parent, "toy") == report.folder
    assert open_snapshot(report.folder).manifest["tables"]["t"]["boundaries"] == boundaries
    assert [entry.id for entry in list_snapshots(older.parent)] == [report.id]


def test_gc_removes_it_unless_it_is_named(ingest, source: TableSource, older: Path, tmp_path: Path) -> None:
    report = ingest(source)
    collect(older.parent, blobs=tmp_path / "blobs", named={older.name})
    assert older.exists()
    done = collect(older.parent, blobs=tmp_path / "blobs")
    assert (done.snapshots, done.kept, older.exists()) == ((older.name,), (report.id,), False)


def test_forgetting_does_not_pass_it_by(ingest, source: TableSource, older: Path, tmp_path: Path) -> None:
    ingest(source)
    with pytest.raises(IntegrityError, match=r"was written by another version"):
        forget(older.parent, ["3"], blobs=tmp_path / "blobs", references={})
    collect(older.parent, blobs=tmp_path / "blobs")
    assert forget(older.parent, ["3"], blobs=tmp_path / "blobs", references={}).rows == {"t": 1}
