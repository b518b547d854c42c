"""Crash-safe files, with processes that are really killed."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from polyloom.durable import (
    file_digest,
    is_used_again,
    json_digest,
    json_line,
    locked,
    place_file,
    publish_folder,
    read_json,
    rename_new,
    replace_file,
    replace_private_file,
    sync_files,
    write_json,
)

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
REPLACING = """
import itertools, sys
from pathlib import Path
from polyloom.durable import replace_file
for number in itertools.count():
    replace_file(Path(sys.argv[1]), bytes([65 + number % 26]) * 200_000)
    print(number, flush=True)
"""
PUBLISHING = """
import itertools, sys
from pathlib import Path
from polyloom.durable import publish_folder
for number in itertools.count():
    with publish_folder(Path(sys.argv[1]) / f"{number:06d}") as draft:
        for name in ("a", "b", "c"):
            (draft / name).write_bytes(b"x" * 50_000)
        (draft / "last").mkdir()
        (draft / "last" / "d").write_bytes(b"y")
    print(number, flush=True)
"""
HOLDING = """
import sys, time
from pathlib import Path
from polyloom.durable import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def killed(code, place, *, after):
    """Run code in a process of its own and kill it a moment after so many lines."""
    with subprocess.Popen([sys.executable, "-c", code, str(place)], stdout=subprocess.PIPE, text=True) as child:
        for _ in range(after):
            child.stdout.readline()
        time.sleep(random.SystemRandom().random() * 0.02)
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert child.returncode == -signal.SIGKILL


@pytest.mark.parametrize("attempt", range(4))
def test_a_killed_replacement_leaves_one_whole_content(tmp_path, attempt):
    path = tmp_path / "pointer"
    killed(REPLACING, path, after=3 + attempt)
    content = path.read_bytes()
    assert len(content) == 200_000
    assert len(set(content)) == 1


@pytest.mark.parametrize("attempt", range(4))
def test_a_killed_publication_leaves_whole_folders_only(tmp_path, attempt):
    killed(PUBLISHING, tmp_path, after=3 + attempt)
    published = [path for path in tmp_path.iterdir() if not path.name.startswith(".")]
    assert len(published) >= 3 + attempt
    for folder in published:
        assert {path.name for path in folder.iterdir()} == {"a", "b", "c", "last"}
        assert [(folder / name).stat().st_size for name in ("a", "b", "c", "last/d")] == [50_000] * 3 + [1]


def test_replacing_makes_folders_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "new" / "file"
    replace_file(path, b"one")
    replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_replacement_that_fails_leaves_the_old_content(tmp_path):
    path = tmp_path / "file"
    replace_file(path, b"old")
    with pytest.raises(TypeError):
        replace_file(path, "not bytes")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_publication_that_fails_leaves_nothing(tmp_path):
    def build():
        with publish_folder(tmp_path / "target") as draft:
            (draft / "half").write_text("half")
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        build()
    assert list(tmp_path.iterdir()) == []


def test_what_was_published_first_stays(tmp_path):
    target = tmp_path / "target"
    with publish_folder(target) as slow:
        (slow / "who").write_text("slow")
        with publish_folder(target) as quick:
            (quick / "who").write_text("quick")
    assert (target / "who").read_text() == "quick"
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_a_published_folder_is_readable_for_others(tmp_path):
    with publish_folder(tmp_path / "target") as draft:
        (draft / "file").touch()
    assert (tmp_path / "target").stat().st_mode & 0o777 == 0o755


def test_renaming_never_replaces(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with pytest.raises(FileExistsError, match="two"):
        rename_new(tmp_path / "one", tmp_path / "two")
    assert (tmp_path / "one").exists()
    rename_new(tmp_path / "one", tmp_path / "three")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["three", "two"]


def test_a_lock_waits_and_says_so_and_falls_with_its_process(tmp_path):
    path = tmp_path / "locks" / "one"
    with subprocess.Popen([sys.executable, "-c", HOLDING, str(path)], stdout=subprocess.PIPE, text=True) as child:
        child.stdout.readline()
        waited = []

        def waiting():
            waited.append(path)
            os.kill(child.pid, signal.SIGKILL)

        with locked(path, waiting=waiting):
            assert waited == [path]


def test_a_free_lock_does_not_wait(tmp_path):
    for _ in range(2):
        with locked(tmp_path / "one", waiting=lambda: pytest.fail("nobody holds it")):
            pass


def test_digests(tmp_path):
    (tmp_path / "empty").touch()
    assert file_digest(tmp_path / "empty") == EMPTY
    assert json_digest({"b": 1, "a": "款"}) == json_digest({"a": "款", "b": 1})
    assert json_digest({"a": 1}) != json_digest({"a": 2})


def test_json_keeps_every_value(tmp_path):
    value = {"text": "退款", "number": 0.1 + 0.2, "none": None, "list": [1, True]}
    write_json(tmp_path / "value.json", value)
    assert read_json(tmp_path / "value.json") == value
    assert "退款" in (tmp_path / "value.json").read_text(encoding="utf-8")


def test_many_files_are_synced_together_with_their_folders(tmp_path, monkeypatch):
    synced = []
    fsync = os.fsync

    def watched(handle):
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    paths = [tmp_path / folder / f"{number}.txt" for folder in "ab" for number in range(20)]
    for path in paths:
        place_file(path, path.name.encode())
    assert synced == []
    sync_files(paths)
    assert sorted(synced[:40]) == sorted(map(str, paths))
    assert synced[40:] == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert [path.read_text() for path in paths] == [path.name for path in paths]
    assert paths[0].stat().st_mode & 0o777 == 0o644
    sync_files([])
    assert len(synced) == 42


def test_a_folder_of_a_cache_is_used_again(tmp_path):
    os.utime(tmp_path, (5, 5))
    assert is_used_again(tmp_path)
    assert time.time() - tmp_path.stat().st_mtime < 60
    assert not is_used_again(tmp_path / "gone")


def test_json_on_one_line(tmp_path):
    assert json_line({"a": [1, "é"]}) == '{"a":[1,"é"]}\n'.encode()


def test_a_private_file_is_its_owners_alone_also_where_the_folder_was_open(tmp_path):
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    replace_private_file(folder / "secret", b"one")
    replace_private_file(folder / "secret", b"two")
    assert (folder / "secret").read_bytes() == b"two"
    assert (folder / "secret").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    replace_file(folder / "plain", b"x")
    assert (folder / "plain").stat().st_mode & 0o777 == 0o644
