"""`kill -9` at random moments of an ingestion: `python -m benchmarks.ingestion_kills [--kills 1000] --json`.

A process that has paid for its imports forks a child, which ingests one version of a small set after the other, rows
and pictures; the child is killed at a random moment. After each kill the store is opened anew: it must show one version
whole, the last one published before the kill or a later one, and every other snapshot must be whole too.
"""

import argparse
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, share, show
from ingestion.snapshots import current_snapshot, open_snapshot, take_snapshot
from ingestion.sources import TableSource

ROWS = 200
COLOURS = ("red", "blue", "green", "white")


def ingest(folder: Path, version: int) -> None:
    """Ingest one version of the set: other texts, the same pictures, some rows refused."""
    path = folder / "rows.csv"
    lines = [f"{row},row {row} of {version},{COLOURS[row % 4]}.png" for row in range(ROWS)]
    path.write_text("id,text,picture\n" + "\n".join([*lines, "0,a key twice,red.png", f",no key in {version},red.png"]))
    take_snapshot(
        scenario="toy",
        tables=[TableSource(name="t", paths={"": path}, key="id", text=("text",), image="picture")],
        store=folder / "snapshots",
        blobs=folder / "blobs",
        max_share=0.1,
        fractions={"validation": 0.1, "test": 0.1},
        seed=1,
        rare_labels={},
    )


def version_shown(folder: Path) -> int:
    """The version that the store shows, -1 for none. Raises AssertionError or IntegrityError when it is not whole."""
    current = current_snapshot(folder / "snapshots", "toy")
    if current is None:
        return -1
    snapshot = open_snapshot(current)
    texts = snapshot.table("t").column("text").to_pylist()
    versions = {int(text.rpartition(" ")[2]) for text in texts}
    assert len(texts) == ROWS, f"{len(texts)} rows"
    assert len(versions) == 1, f"rows of several versions: {versions}"
    assert snapshot.quarantine().num_rows == 2, "refused rows are missing"
    for sha256 in set(snapshot.table("t", ["picture"]).column("picture").to_pylist()):
        assert (folder / "blobs" / sha256[:2] / sha256).stat().st_size > 0, f"no picture {sha256}"
    return versions.pop()


def killed_once(folder: Path, version: int, *, seconds: float) -> None:
    """Ingest from `version` on in a child, and kill it after some time."""
    child = os.fork()
    if child == 0:
        try:
            for number in itertools.count(version):
                ingest(folder, number)
        finally:
            os._exit(1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def drawn_pictures(folder: Path) -> None:
    """A picture of each colour."""
    from PIL import Image

    for colour in COLOURS:
        Image.new("RGB", (16, 16), colour).save(folder / f"{colour}.png")


def kills(count: int, *, seed: int) -> list[Figure]:
    """How many of the reopenings showed a whole state, and how many kills fell into an unfinished ingestion."""
    moments = random.Random(seed)
    whole = advanced = within = 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        drawn_pictures(folder)
        # Threads do not survive a fork: the first ingestion, which starts Arrow's, is a child's too.
        first = measured(folder, versions=1)
        each = (measured(folder, versions=5) - first) / 4
        shown = version_shown(folder)
        for kill in range(count):
            killed_once(folder, 1000 * (kill + 1), seconds=moments.uniform(0.0, first + 2.0 * each))
            within += any((folder / "snapshots/toy").glob(".*"))
            now = version_shown(folder)
            assert now >= shown, f"version {now} after {shown}"
            advanced += now > shown
            whole, shown = whole + 1, now
            if sys.stderr.isatty() or kill % 100 == 99:
                print(f"{kill + 1} of {count} kills, {advanced} after a publication", file=sys.stderr)
    return [
        share("kills after which the store was whole", done=whole, of=count, unit="kills"),
        Figure(name="kills after a publication", value=advanced, unit="kills", goal="more than 0", met=advanced > 0),
        Figure(name="kills that left a draft behind", value=within, unit="kills", goal="more than 0", met=within > 0),
    ]


def measured(folder: Path, *, versions: int) -> float:
    """Seconds of some ingestions in a fresh child."""
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        for version in range(versions):
            ingest(folder, version)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    return time.monotonic() - started


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    sys.exit(show("ingestion_kills", kills(asked.kills, seed=asked.seed), as_json=asked.json))


if __name__ == "__main__":
    main()
