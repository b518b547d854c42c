"""Snapshots are listed, compared and collected; each row is traced to its line."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ingestion.collection import collect
from ingestion.history import find_snapshot, lineage, list_snapshots, snapshot_folders
from ingestion.snapshot_diff import diff
from ingestion.snapshots import current_snapshot, open_snapshot
from ingestion.sources import TableSource
from polyloom.errors import RequestError


@pytest.fixture
def versions(ingest, tmp_path: Path):
    """Take a snapshot of each text of rows.csv."""

    def take(*texts: str, **changes) -> list[str]:
        source = TableSource(
            name="t",
            paths={"": tmp_path / "rows.csv"},
            key="id",
            text=("text",),
            columns={"price": "number"},
            **changes,
        )
        ids = []
        for text in texts:
            (tmp_path / "rows.csv").write_text("id,text,price,picture\n" + text)
            ids.append(ingest(source).id)
        return ids

    return take


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "snapshots" / "toy"


def test_list_says_what_is_current_and_what_each_alone_holds(versions, folder: Path) -> None:
    first, second = versions("a,one,1,\n", "a,one,1,\nb,two,x,\n")
    newest, oldest = list_snapshots(folder)
    assert (newest.id, newest.current, newest.rows_in, newest.rows_kept, newest.rows_quarantined) == (
        second,
        True,
        2,
        1,
        1,
    )
    assert (oldest.id, oldest.current, oldest.tables) == (first, False, ("t",))
    everything = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    # Both see the one row of their part alike.
    (view,) = (folder / "parts").glob("*.view.parquet")
    shared = view.stat().st_size + (folder / "current.json").stat().st_size
    assert newest.bytes_alone + oldest.bytes_alone == everything - shared
    assert find_snapshot(folder, first[:4]).id == first
    assert find_snapshot(folder, "current").id == second


def test_a_snapshot_that_is_not_there(versions, folder: Path) -> None:
    (first,) = versions("a,one,1,\n")
    with pytest.raises(RequestError, match=rf"'zzzz': there is no such snapshot. .* There: {first[:12]}"):
        find_snapshot(folder, "zzzz")
    with pytest.raises(RequestError, match=r"Give at least 4 digits of an id, or `current`"):
        find_snapshot(folder, first[:3])
    with pytest.raises(RequestError, match=r"nobody was never ingested"):
        lineage(folder.parent / "nobody", "a")


def test_diff_counts_rows_by_key_and_refused_ones(versions, folder: Path) -> None:
    old, new = versions(
        "a,one,1,\nb,two,2,\nc,three,3,\nd,four,x,\n", "b,two,2,\nc,3,3,\ne,five,5,\nd,four,y,\nf,six,z,\n"
    )
    found = diff(find_snapshot(folder, old), find_snapshot(folder, new))
    (table,) = found.tables
    assert (table.table, table.added, table.removed, table.changed, table.moved) == ("t", 1, 1, 1, 0)
    assert table.examples == {"added": ["e"], "removed": ["a"], "changed": ["c"]}
    assert found.quarantined == [{"table": "t", "reason": "wrong_type", "rows": 2}]
    assert found.released == [{"table": "t", "reason": "wrong_type", "rows": 1}]
    same = diff(find_snapshot(folder, new), find_snapshot(folder, new))
    assert not any([same.tables[0].added, same.tables[0].changed, same.quarantined, same.released, same.schema])


def test_lineage_leads_back_to_the_line_and_the_first_snapshot(versions, folder: Path) -> None:
    first, second, third = versions(
        "a,one,1,\nb,two,2,\n", "a,one,1,\nb,two,22,\nx,bad,bad,\n", "n,new,0,\na,one,1,\nb,two,22,\nx,bad,bad,\n"
    )
    (origin,) = lineage(folder, "a")
    assert (origin.table, origin.source, origin.row, origin.since, origin.reason) == ("t", "rows.csv", 3, first, None)
    assert (folder / "parts" / f"{origin.part}.parquet").exists()
    assert lineage(folder, "b")[0].since == second
    assert lineage(folder, "n")[0].since == third
    (refused,) = lineage(folder, "x")
    assert (refused.reason, refused.row, refused.since, refused.part) == ("wrong_type", 5, second, None)
    with pytest.raises(RequestError, match=r"no row of t has the key 'c', in quarantine neither"):
        lineage(folder, "c")


def test_gc_keeps_the_current_the_newest_and_the_named(versions, folder: Path, tmp_path: Path) -> None:
    ids = versions(*(f"a,row {number},1,\n" for number in range(5)))
    (folder / ".draft").mkdir()
    before = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    planned = collect(folder, blobs=tmp_path / "blobs", keep=2, named={ids[0]}, dry_run=True)
    assert set(planned.snapshots) == {ids[1], ids[2]}
    assert len(snapshot_folders(folder)) == 5
    done = collect(folder, blobs=tmp_path / "blobs", keep=2, named={ids[0]})
    assert (done.bytes, done.parts, done.drafts) == (planned.bytes, 2, 1)
    assert {path.name for path in snapshot_folders(folder)} == {ids[0], ids[3], ids[4]} == set(done.kept)
    assert before - sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) == done.bytes
    for path in snapshot_folders(folder):
        assert open_snapshot(path).table("t").num_rows == 1
    again = collect(folder, blobs=tmp_path / "blobs", keep=2, named={ids[0]})
    assert (again.bytes, again.snapshots) == (0, ())
    with pytest.raises(RequestError, match=r"--keep 0: the current snapshot always stays"):
        collect(folder, blobs=tmp_path / "blobs", keep=0)


def test_gc_keeps_the_pictures_that_something_shows(versions, folder: Path, tmp_path: Path, picture) -> None:
    for colour in ("red", "blue"):
        (tmp_path / f"{colour}.png").write_bytes(picture(colour))
    versions("a,one,1,red.png\n", "a,one,1,blue.png\n", image="picture")
    stored = {path.name for path in (tmp_path / "blobs").glob("??/*")}
    assert len(stored) == 2
    young = collect(folder, blobs=tmp_path / "blobs", keep=1)
    assert young.pictures == 0, "an ingestion of another scenario may have just stored it"
    named = collect(folder, blobs=tmp_path / "blobs", keep=1, pictures=stored, young_seconds=-1)
    assert named.pictures == 0, "a release shows it"
    assert collect(folder, blobs=tmp_path / "blobs", keep=1, young_seconds=-1).pictures == 1
    (left,) = (path.name for path in (tmp_path / "blobs").glob("??/*"))
    assert open_snapshot(current_snapshot(folder.parent, "toy")).table("t")["picture"].to_pylist() == [left]


COLLECT = """
import os, signal, sys, threading, time
from pathlib import Path
from ingestion.collection import collect

folder, blobs, moment = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
threading.Thread(target=lambda: (time.sleep(moment), os.kill(os.getpid(), signal.SIGKILL)), daemon=True).start()
collect(folder, blobs=blobs, keep=1, young_seconds=-1)
"""


def test_a_killed_gc_leaves_nothing_that_dangles(versions, folder: Path, tmp_path: Path, picture) -> None:
    for number in range(40):
        (tmp_path / f"{number}.png").write_bytes(picture(f"#{number:02x}0000"))
    versions(*(f"a,row {number},1,{number}.png\n" for number in range(40)), image="picture")
    for moment in (0.0, 0.002, 0.005, 0.01, 0.02):
        ended = subprocess.run([sys.executable, "-c", COLLECT, folder, tmp_path / "blobs", str(moment)], check=False)
        assert ended.returncode in {0, -signal.SIGKILL}
        for path in snapshot_folders(folder):
            (shown,) = open_snapshot(path).table("t")["picture"].to_pylist()
            assert (tmp_path / "blobs" / shown[:2] / shown).exists()
    collect(folder, blobs=tmp_path / "blobs", keep=1, young_seconds=-1)
    assert len(list((tmp_path / "blobs").glob("??/*"))) == len(snapshot_folders(folder)) == 1
    assert len(list((folder / "parts").glob("*.json"))) == 1
    assert [path.name for path in folder.glob(".*")] == []
