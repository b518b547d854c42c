"""What registering a bundle of 1 GB costs over copying its bytes: `python -m benchmarks.releases_bundle [--json]`.

Eight files of random bytes stand for encoders and vectors. Copying is writing each file again with an fsync.
Registering is all that polyloom does with a sealed folder: hashes of every byte, the object store, the bundle's folder
with an fsync of each file, and MLflow with SQLite, opened beforehand as in a run. A second release with one small file
more shows how much of it is stored anew.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, below, show
from polyloom.durable import sync_tree
from releases.bundle import seal, verify
from releases.mlflow_store import SQLITE
from releases.objects import ObjectStore, publish
from releases.registry import Registry

FILES, FILE_BYTES = 8, 128 * 10**6
CHUNK = 16 * 10**6
MORE_BYTES = 10**6
# Seconds over a copy of the bytes.
BEYOND = 10


def bundle_figures(folder: Path) -> list[Figure]:
    """Both times and what a second release stores; `folder` is empty and has room for 4 GB."""
    source, staging = folder / "source", folder / "staging"
    write_files(source)
    registry = Registry(f"{SQLITE}{folder / 'mlflow.db'}", folder / "ledger")
    registry.versions("other")
    shutil.copytree(source, staging)
    os.sync()
    copied = timed_copy(source, folder / "copy")
    shutil.rmtree(folder / "copy")
    os.sync()
    started = time.perf_counter()
    first = registered(staging, folder, registry)
    seconds = time.perf_counter() - started
    shutil.copytree(source, staging)
    (staging / "rows.bin").write_bytes(os.urandom(MORE_BYTES))
    before = used(folder)
    second = registered(staging, folder, registry)
    stored = used(folder) - before
    assert [verify(path).digest for path in (first, second)] == [first.name, second.name]
    return [
        below(f"registering 1 GB, a copy of which takes {copied:.1f} s", seconds, "s", limit=round(copied + BEYOND, 3)),
        below("stored by a release with 1 MB more", stored / 10**6, "MB", limit=1.5),
    ]


def registered(staging: Path, folder: Path, registry: Registry) -> Path:
    """Seal, publish and register what was staged; gives the bundle's folder."""
    digest = seal(staging)
    bundle = folder / "releases" / "big" / digest
    publish(staging, bundle, ObjectStore(folder / "objects"))
    registry.register("big", bundle, digest, None, {})
    return bundle


def write_files(folder: Path) -> None:
    """Files that no file system can make smaller."""
    folder.mkdir()
    for number in range(FILES):
        with (folder / f"part-{number}.bin").open("wb") as stream:
            for _ in range(FILE_BYTES // CHUNK):
                stream.write(os.urandom(CHUNK))


def timed_copy(source: Path, target: Path) -> float:
    """Seconds for a copy of a folder that survives a power cut."""
    started = time.perf_counter()
    shutil.copytree(source, target)
    sync_tree(target)
    return time.perf_counter() - started


def used(folder: Path) -> int:
    """The bytes of bundles and objects, each file once."""
    paths = [path for name in ("releases", "objects") for path in (folder / name).rglob("*") if path.is_file()]
    return sum({path.stat().st_ino: path.stat().st_size for path in paths}.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="Where to write 4 GB; by default the folder for temporary files.")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        return show("releases_bundle", bundle_figures(Path(folder)), as_json=asked.json)


if __name__ == "__main__":
    sys.exit(main())
