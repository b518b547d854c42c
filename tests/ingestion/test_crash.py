"""A killed ingestion leaves the snapshot before it or the one after it; two at once do not disturb each other."""

import subprocess
import sys
from pathlib import Path

import pytest

from ingestion.snapshots import current_snapshot, open_snapshot

KILLS = 12
INGEST = """
import itertools, os, random, signal, sys, time
from pathlib import Path
import pyarrow as pa
from ingestion.snapshots import take_snapshot
from ingestion.sources import TableSource

pa.array([1])
folder = Path(sys.argv[1])

def ingest(number, name):
    path = folder / name
    path.write_text("text,picture\\n" + "".join(f"row {row} of {number},{row % 4}.png\\n" for row in range(200)))
    take_snapshot(
        scenario="toy", tables=[TableSource(name="t", paths={"": path}, text=("text",), image="picture")],
        store=folder / "snapshots", blobs=folder / "blobs", max_share=0.0,
        fractions={"validation": 0.1, "test": 0.1}, seed=1, rare_labels={},
    )
"""
KILLED = (
    INGEST
    + """
def child_ingests(numbers):
    child = os.fork()
    if child == 0:
        for number in numbers:
            ingest(number, "rows.csv")
        os._exit(0)
    return child

started = time.monotonic()
os.waitpid(child_ingests([-1]), 0)
seconds = time.monotonic() - started
moments = random.Random(7)
for line in sys.stdin:
    child = child_ingests(itertools.count(int(line) * 1000))
    time.sleep(moments.uniform(0.0, 2.5 * seconds))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print("killed", flush=True)
os.waitpid(child_ingests([-2]), 0)
"""
)
AT_ONCE = (
    INGEST
    + """
child = os.fork()
for number in range(4):
    ingest(number, "first.csv" if child else "second.csv")
if child:
    sys.exit(os.waitpid(child, 0)[1])
"""
)


def start(program: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def assert_whole(folder: Path) -> int:
    """The number of snapshots, each of them whole."""
    found = [path for path in (folder / "snapshots/toy").glob("[0-9a-f]*") if path.is_dir()]
    for path in found:
        snapshot = open_snapshot(path)
        table = snapshot.table("t")
        assert table.num_rows == 200
        assert snapshot.quarantine().num_rows == 0
        for sha256 in set(table.column("picture").to_pylist()):
            assert (folder / "blobs" / sha256[:2] / sha256).stat().st_size > 0
    current = current_snapshot(folder / "snapshots", "toy")
    assert current is None or current in found
    return len(found)


@pytest.fixture
def folder(tmp_path: Path, picture) -> Path:
    for number, colour in enumerate(["red", "blue", "green", "white"]):
        (tmp_path / f"{number}.png").write_bytes(picture(colour))
    return tmp_path


def test_kill_at_random_moments(folder: Path) -> None:
    with start(KILLED, folder) as process:
        for kill in range(KILLS):
            process.stdin.write(f"{kill}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "killed\n"
            assert_whole(folder)
        process.stdin.close()
        assert process.wait(60) == 0
    assert assert_whole(folder) > 1
    assert not [path for path in (folder / "snapshots/toy").iterdir() if path.name.startswith(".")]


def test_two_ingestions_at_once(folder: Path) -> None:
    with start(AT_ONCE, folder) as process:
        assert process.wait(60) == 0
    assert assert_whole(folder) == 4
