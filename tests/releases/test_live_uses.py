"""Later uses of a release: they count whole or not at all, and a changed byte is named."""

import os
import signal
import subprocess
import sys
import time

import pytest

from polyloom.errors import IntegrityError
from releases.live_uses import POINTER, LiveUses, note_of, publish_uses, uses_place


def publish(place, content, note=None):
    with publish_uses(place, note or {"snapshot": content}) as folder:
        (folder / "answer.txt").write_text(content)


def publish_half(place):
    with publish_uses(place, {}) as folder:
        (folder / "answer.txt").write_text("half")
        (folder / "nowhere.txt").read_text()


def said(uses):
    return (uses.present().folder / "answer.txt").read_text()


@pytest.fixture
def uses(tmp_path):
    sealed = tmp_path / "bundle"
    sealed.mkdir()
    (sealed / "answer.txt").write_text("sealed")
    return LiveUses(sealed, place=uses_place(tmp_path / "indexes", "a" * 64))


def test_the_release_counts_until_there_is_something_later(uses):
    assert said(uses) == "sealed"
    assert note_of(uses.present().folder) == {}
    publish(uses.place, "first")
    stamp = uses.present().stamp
    assert said(uses) == "first"
    assert note_of(uses.present().folder) == {"snapshot": "first"}
    publish(uses.place, "second")
    assert said(uses) == "second"
    assert uses.present().stamp != stamp
    assert said(LiveUses(uses.sealed, place=None)) == "sealed"


def test_only_the_last_two_are_kept(uses):
    for number in range(4):
        publish(uses.place, str(number))
    assert sorted(path.name for path in uses.place.iterdir() if path.is_dir()) == ["000003", "000004"]


def test_what_fails_changes_nothing(uses):
    publish(uses.place, "first")
    with pytest.raises(FileNotFoundError):
        publish_half(uses.place)
    assert said(uses) == "first"
    publish(uses.place, "second")
    assert said(uses) == "second"


def test_a_changed_byte_is_named(uses):
    publish(uses.place, "first")
    path = uses.place / "000001" / "answer.txt"
    path.chmod(0o644)
    path.write_text("f1rst")
    with pytest.raises(IntegrityError, match=r"answer\.txt"):
        LiveUses(uses.sealed, place=uses.place).present()


WRITER = """
import sys, itertools
from pathlib import Path
from releases.live_uses import publish_uses
for number in itertools.count():
    with publish_uses(Path(sys.argv[1]), {"n": number}) as folder:
        (folder / "answer.txt").write_text(str(number))
        (folder / "more.bin").write_bytes(bytes(200_000))
"""


def test_who_is_killed_leaves_the_state_before_or_after(uses):
    for delay in (0.25, 0.4, 0.55, 0.7):
        child = subprocess.Popen([sys.executable, "-c", WRITER, str(uses.place)])
        limit = time.monotonic() + 20
        while not (uses.place / POINTER).is_file() and time.monotonic() < limit:
            time.sleep(0.02)
        time.sleep(delay / 5)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        # Everything is verified when it is opened.
        folder = LiveUses(uses.sealed, place=uses.place).present().folder
        assert note_of(folder) == {"n": int((folder / "answer.txt").read_text())}
