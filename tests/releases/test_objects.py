"""Equal files of bundles are one file, no bundle is harmed by that, and nothing is kept that no bundle needs."""

import errno
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from polyloom.errors import IntegrityError
from releases import objects as module
from releases.bundle import FileEntry, read_manifest, seal, verify
from releases.objects import ObjectStore, publish, share
from tests.support.small_bundle import make_small_bundle


@pytest.fixture
def store(tmp_path):
    return ObjectStore(tmp_path / "objects")


def sealed(folder, tree):
    for name, content in tree.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return seal(folder)


def published(tmp_path, store, tree):
    digest = sealed(tmp_path / "staging", tree)
    folder = tmp_path / "releases" / digest
    publish(tmp_path / "staging", folder, store)
    return folder


def stored(store):
    return sorted(path for path in store.folder.rglob("*") if path.is_file())


def test_a_second_bundle_stores_only_what_is_new(tmp_path, store):
    first = published(tmp_path, store, {"encoder/model.onnx": b"weights", "rows.json": b"[1]"})
    second = published(tmp_path, store, {"encoder/model.onnx": b"weights", "rows.json": b"[1, 2]"})
    assert (first / "encoder/model.onnx").samefile(second / "encoder/model.onnx")
    assert len(stored(store)) == 3
    assert [verify(folder).digest for folder in (first, second)] == [first.name, second.name]
    assert not (tmp_path / "staging").exists()


def test_equal_files_of_one_bundle_are_one(tmp_path, store):
    folder = published(tmp_path, store, {"a/x": b"same", "b/x": b"same", "empty": b""})
    assert (folder / "a/x").samefile(folder / "b/x")
    assert len(stored(store)) == 2
    verify(folder)


def test_nobody_may_write_to_a_published_file(tmp_path, store):
    folder = published(tmp_path, store, {"x": b"1"})
    assert all(path.stat().st_mode & 0o777 == 0o444 for path in folder.iterdir())


def test_the_same_bundle_again_stays_as_it_is(tmp_path, store):
    folder = published(tmp_path, store, {"x": b"1"})
    before = (folder / "manifest.json").stat().st_ino
    assert published(tmp_path, store, {"x": b"1"}) == folder
    assert (folder / "manifest.json").stat().st_ino == before


def test_a_byte_changed_in_place_is_named_in_every_bundle_that_has_it_and_never_handed_on(tmp_path, store):
    first = published(tmp_path, store, {"model": b"weights", "n": b"1"})
    second = published(tmp_path, store, {"model": b"weights", "n": b"2"})
    (first / "model").chmod(0o644)
    (first / "model").write_bytes(b"wEights")
    for folder in (first, second):
        with pytest.raises(IntegrityError, match=r"'model' was changed"):
            verify(folder)
    verify(published(tmp_path, store, {"model": b"weights", "n": b"3"}))


def test_what_no_bundle_has_is_tidied_away(tmp_path, store):
    first = published(tmp_path, store, {"model": b"weights", "n": b"1"})
    second = published(tmp_path, store, {"model": b"weights", "n": b"22"})
    assert store.tidy() == module.Tidied(objects=0, bytes=0)
    shutil.rmtree(first)
    assert store.tidy() == module.Tidied(objects=1, bytes=1)
    verify(second)
    shutil.rmtree(second)
    assert store.tidy().objects == 2
    assert stored(store) == []


def test_bundles_that_were_copied_are_shared_afterwards(tmp_path, store):
    folders = [tmp_path / "releases" / name for name in "ab"]
    for number, folder in enumerate(folders):
        sealed(folder, {"model": b"weights", "n": str(number).encode()})
    assert [share(folder, store) for folder in folders] == [0, 7]
    assert [share(folder, store) for folder in folders] == [0, 0]
    assert (folders[0] / "model").samefile(folders[1] / "model")
    for folder in folders:
        verify(folder)
    (folders[0] / "n").unlink()
    with pytest.raises(IntegrityError, match="'n' is missing"):
        share(folders[0], store)


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP])
def test_without_links_a_bundle_is_a_copy(tmp_path, store, monkeypatch, code):
    def no_link(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(module.os, "link", no_link)
    folder = published(tmp_path, store, {"model": b"weights"})
    verify(folder)
    assert (folder / "model").stat().st_mode & 0o777 == 0o444
    assert stored(store) == []


def test_any_other_failure_is_told(tmp_path, store, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(module.os, "link", full)
    with pytest.raises(OSError, match="full"):
        published(tmp_path, store, {"model": b"weights"})
    assert not list((tmp_path / "releases").iterdir())


def test_an_object_that_is_tidied_away_between_two_calls_is_stored_again(tmp_path, store, monkeypatch):
    published(tmp_path, store, {"model": b"weights"})
    entry = FileEntry(
        sha256=next(iter(read_manifest(next((tmp_path / "releases").iterdir())).files.values())).sha256, size=7
    )
    holds, times = ObjectStore.holds, []

    def gone(self, given):
        found = holds(self, given)
        if not times:
            self.path(given.sha256).unlink()
        times.append(found)
        return found

    monkeypatch.setattr(ObjectStore, "holds", gone)
    (tmp_path / "source").write_bytes(b"weights")
    assert store.place(tmp_path / "source", tmp_path / "target", entry)
    assert times == [True, False]
    assert (tmp_path / "target").read_bytes() == b"weights"


PUBLISH_FOREVER = """
import itertools, shutil, sys
from pathlib import Path
from releases.bundle import seal
from releases.objects import ObjectStore, publish
root = Path(sys.argv[1])
print("ready", flush=True)
for number in itertools.count():
    staging = root / "staging"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    (staging / "model").write_bytes(b"w" * 100_000)
    (staging / "n").write_text(str(number))
    publish(staging, root / "releases" / seal(staging), ObjectStore(root / "objects"))
"""


def test_a_kill_leaves_whole_bundles_and_whole_objects(tmp_path, store):
    for attempt in range(4):
        with subprocess.Popen([sys.executable, "-c", PUBLISH_FOREVER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
            writer.stdout.readline()
            time.sleep(0.1 + 0.037 * attempt)
            writer.kill()
        for folder in (tmp_path / "releases").glob("[!.]*"):
            assert verify(folder).digest == folder.name
    store.tidy()
    held = [path for path in stored(store) if ".draft." not in str(path)]
    for path in held:
        entry = FileEntry(sha256=path.parent.name + path.name, size=path.stat().st_size)
        assert store.holds(entry)


def test_what_reads_a_bundle_reads_a_shared_one(tmp_path, store):
    from releases.runtime import Runtime

    digest = make_small_bundle(tmp_path / "staging")
    folder = tmp_path / "releases" / digest
    publish(tmp_path / "staging", folder, store)
    runtime = Runtime.open(folder, digest=digest)
    assert [hit.id for hit in runtime.search(text="Red enamel mug", k=1)] == ["p01"]
    verify(folder)
    assert all(
        Path(path).stat().st_nlink == 2 for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json"
    )
