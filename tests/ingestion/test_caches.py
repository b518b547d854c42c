"""What was unpacked or fetched goes when no scenario's last ingestion read it."""

import os
import time
import zipfile
from pathlib import Path

import pytest

from ingestion.collection import collect
from ingestion.snapshots import take_snapshot
from ingestion.sources import TableSource
from polyloom.home import home

HOUR = 3600


@pytest.fixture
def cache() -> Path:
    return home() / "cache"


def packed(path: Path, rows: int) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rows.csv", "id,text\n" + "".join(f"{number},text {number}\n" for number in range(rows)))
    return path


def ingest(scenario: str, path: Path) -> Path:
    report = take_snapshot(
        scenario=scenario,
        tables=[TableSource(name="t", paths={"": path}, key="id", text=("text",))],
        store=home() / "snapshots",
        blobs=home() / "blobs",
        max_share=0.0,
        fractions={"validation": 0.1, "test": 0.1},
        seed=1,
        rare_labels={},
    )
    return report.folder.parent


def gc(folder: Path, **changes):
    return collect(folder, blobs=home() / "blobs", cache=home() / "cache", **{"young_seconds": -1, **changes})


def entries(cache: Path) -> set[str]:
    return {path.name for path in (cache / "unpacked").iterdir()}


def test_an_older_state_of_an_archive_goes_and_the_last_one_stays(cache: Path, tmp_path: Path) -> None:
    folder = ingest("toy", packed(tmp_path / "rows.zip", 3))
    (older,) = entries(cache)
    ingest("toy", packed(tmp_path / "rows.zip", 4))
    (newer,) = entries(cache) - {older}
    planned = gc(folder, dry_run=True)
    assert (planned.cached, entries(cache)) == (1, {older, newer})
    size = sum(path.stat().st_size for path in (cache / "unpacked" / older).iterdir())
    assert planned.bytes >= size > 0
    assert gc(folder).cached == 1
    assert entries(cache) == {newer}
    ingest("toy", tmp_path / "rows.zip")
    assert (gc(folder).cached, entries(cache)) == (0, {newer})


def test_what_another_scenario_reads_stays(cache: Path, tmp_path: Path) -> None:
    folder = ingest("toy", packed(tmp_path / "rows.zip", 3))
    ingest("other", packed(tmp_path / "others.zip", 3))
    assert len(entries(cache)) == 2
    assert gc(folder).cached == 0
    (home() / "snapshots" / "other" / "caches.json").unlink()
    assert gc(folder).cached == 1


def test_fetched_files_and_drafts(cache: Path, tmp_path: Path) -> None:
    fetched = cache / "remote" / "read" / "rows.csv"
    fetched.parent.mkdir(parents=True)
    fetched.write_text("id,text\n1,one\n2,two\n3,three\n")
    for name in ("superseded", ".draft"):
        (cache / "remote" / name).mkdir()
    folder = ingest("toy", fetched)
    assert gc(folder).cached == 2
    assert [path.name for path in (cache / "remote").iterdir()] == ["read"]


def test_what_is_young_or_was_just_used_stays(cache: Path, tmp_path: Path) -> None:
    folder = ingest("toy", packed(tmp_path / "rows.zip", 3))
    (older,) = entries(cache)
    ingest("toy", packed(tmp_path / "rows.zip", 4))
    assert gc(folder, young_seconds=HOUR).cached == 0
    long_ago = time.time() - 2 * HOUR
    for name in entries(cache):
        os.utime(cache / "unpacked" / name, (long_ago, long_ago))
    ingest("toy", tmp_path / "rows.zip")
    assert gc(folder, young_seconds=HOUR).cached == 1
    assert older not in entries(cache)


def test_without_a_cache_nothing_is_noted(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,text\n1,one\n2,two\n3,three\n")
    folder = ingest("toy", tmp_path / "rows.csv")
    assert not (folder / "caches.json").exists()
    assert collect(folder, blobs=home() / "blobs").cached == 0
