"""A bundle's digest covers every byte, and whatever differs is named."""

import json
import os
import re
import shutil
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyloom.durable import json_digest
from polyloom.errors import DataError, IntegrityError
from releases.bundle import FileEntry, read_manifest, seal, verify

HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "bundle"
    write_tree(folder, {"scenario.json": b"{}", "encoders/text/model.onnx": b"hello", "图/鞋 1.png": b""})
    seal(folder)
    return folder


def write_tree(folder, tree):
    for name, content in tree.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def test_the_digest_is_that_of_paths_and_their_digests(bundle):
    manifest = verify(bundle)
    assert set(manifest.files) == {"scenario.json", "encoders/text/model.onnx", "图/鞋 1.png"}
    assert manifest.files["encoders/text/model.onnx"] == FileEntry(sha256=HELLO, size=5)
    assert manifest.digest == json_digest({name: entry.sha256 for name, entry in manifest.files.items()})
    assert read_manifest(bundle) == manifest


def test_time_and_place_do_not_change_the_digest(bundle, tmp_path):
    before = read_manifest(bundle)
    shutil.copytree(bundle, tmp_path / "copy")
    record = bundle / "manifest.json"
    record.unlink()
    assert seal(bundle) == before.digest
    assert seal(bundle) == before.digest
    assert verify(tmp_path / "copy") == before


def test_another_name_is_another_digest(bundle):
    before = read_manifest(bundle).digest
    (bundle / "scenario.json").rename(bundle / "scenario2.json")
    assert seal(bundle) != before


def test_the_expected_digest_is_compared(bundle):
    digest = read_manifest(bundle).digest
    assert verify(bundle, expected=digest).digest == digest
    with pytest.raises(IntegrityError, match=rf"holds the bundle {digest}, not {'0' * 64}\. Fetch"):
        verify(bundle, expected="0" * 64)


def test_a_changed_byte_is_named(bundle):
    (bundle / "encoders/text/model.onnx").write_bytes(b"hellp")
    with pytest.raises(
        IntegrityError, match=r"'encoders/text/model\.onnx' was changed in the bundle .* Fetch or build"
    ):
        verify(bundle)


def test_a_truncated_file_is_named(bundle):
    (bundle / "encoders/text/model.onnx").write_bytes(b"hell")
    with pytest.raises(IntegrityError, match=r"'encoders/text/model\.onnx' has another size in"):
        verify(bundle)


def test_missing_and_added_files_are_named(bundle):
    (bundle / "extra.txt").write_bytes(b"")
    (bundle / "zebra.txt").write_bytes(b"")
    with pytest.raises(IntegrityError, match=r"'extra\.txt' and 1 more was added to"):
        verify(bundle)
    (bundle / "scenario.json").unlink()
    with pytest.raises(IntegrityError, match=r"'scenario\.json' is missing from"):
        verify(bundle)


def test_a_second_manifest_further_down_is_a_file_like_any_other(bundle):
    write_tree(bundle, {"index/manifest.json": b"{}"})
    seal(bundle)
    assert "index/manifest.json" in verify(bundle).files
    (bundle / "index/manifest.json").write_bytes(b"[]")
    with pytest.raises(IntegrityError, match=r"'index/manifest\.json' was changed"):
        verify(bundle)


@pytest.mark.parametrize("inside", [True, False])
def test_links_are_refused(bundle, tmp_path, inside):
    shutil.copytree(bundle, tmp_path / "elsewhere")
    target = bundle / "scenario.json" if inside else tmp_path / "elsewhere" / "scenario.json"
    link = bundle / "encoders" / "link"
    link.symlink_to(target)
    with pytest.raises(IntegrityError, match=r"encoders/link is a link or a special file; a bundle holds plain files"):
        verify(bundle)
    with pytest.raises(IntegrityError, match="is a link"):
        seal(bundle)


def test_a_file_replaced_by_a_link_to_the_same_content_is_refused(bundle, tmp_path):
    (tmp_path / "same").write_bytes(b"{}")
    (bundle / "scenario.json").unlink()
    (bundle / "scenario.json").symlink_to(tmp_path / "same")
    with pytest.raises(IntegrityError, match=r"scenario\.json is a link"):
        verify(bundle)


def test_a_linked_folder_and_a_pipe_are_refused(bundle, tmp_path):
    (bundle / "folder").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(IntegrityError, match="folder is a link"):
        verify(bundle)
    (bundle / "folder").unlink()
    os.mkfifo(bundle / "pipe")
    with pytest.raises(IntegrityError, match="pipe is a link or a special file"):
        verify(bundle)


def test_a_linked_manifest_is_refused(bundle, tmp_path):
    (bundle / "manifest.json").rename(tmp_path / "manifest.json")
    (bundle / "manifest.json").symlink_to(tmp_path / "manifest.json")
    with pytest.raises(IntegrityError, match=r"manifest\.json is missing or is no plain file"):
        verify(bundle)


def edit(record, name):
    file = record["files"]["scenario.json"]
    match name:
        case "digest":
            record["digest"] = "0" * 64
        case "created":
            record["created"] = "2020-01-01T00:00:00+00:00"
        case "size":
            file["size"] += 1
        case "sha256":
            file["sha256"] = "0" * 64
        case "listed":
            record["files"]["../secret"] = file
        case "unlisted":
            del record["files"]["scenario.json"]
        case "field":
            record["more"] = 1
        case "checksum":
            del record["checksum"]
        case "files":
            record["files"] = []


@pytest.mark.parametrize(
    "name", ["digest", "created", "size", "sha256", "listed", "unlisted", "field", "checksum", "files"]
)
def test_an_edited_manifest_is_refused(bundle, name):
    path = bundle / "manifest.json"
    record = json.loads(path.read_text())
    edit(record, name)
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    with pytest.raises(IntegrityError, match=r"manifest\.json was changed after the bundle was sealed"):
        verify(bundle)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b"\xff", b'{"files": {"a": 1}}'])
def test_a_manifest_of_another_form_is_refused(bundle, content):
    (bundle / "manifest.json").write_bytes(content)
    with pytest.raises(IntegrityError, match=r"manifest\.json was changed"):
        read_manifest(bundle)


def test_an_unsealed_folder_is_no_bundle(tmp_path):
    with pytest.raises(IntegrityError, match=r"manifest\.json is missing or is no plain file, so .* is not a sealed"):
        verify(tmp_path)


def test_nothing_cannot_be_sealed(tmp_path):
    with pytest.raises(DataError, match="holds no files, so there is nothing to seal"):
        seal(tmp_path)
    with pytest.raises(DataError, match="is not a folder, so it cannot be sealed"):
        seal(tmp_path / "none")


@pytest.mark.parametrize("name", [b"a\nb", b"caf\xe9"])
def test_a_name_that_cannot_be_printed_is_refused(bundle, name):
    (bundle / os.fsdecode(name)).write_bytes(b"x")
    with pytest.raises(IntegrityError, match=r"The file name 'a\\nb'|The file name 'caf\\udce9'"):
        seal(bundle)


NAMES = st.text("ab.鞋 ", min_size=1, max_size=3).filter(lambda name: name.strip("."))
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=2).map(lambda parts: "d/" * (len(parts) - 1) + "f" + parts[-1]),
    st.binary(min_size=1, max_size=40),
    min_size=1,
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(TREES, st.data())
def test_any_flipped_bit_of_any_file_is_refused_by_name(tmp_path_factory, tree, data):
    folder = tmp_path_factory.mktemp("tree")
    write_tree(folder, tree)
    seal(folder)
    verify(folder)
    name = data.draw(st.sampled_from([*sorted(tree), "manifest.json"]))
    content = bytearray((folder / name).read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (folder / name).write_bytes(content)
    with pytest.raises(IntegrityError, match=re.escape(name)):
        verify(folder)


SEAL_FOREVER = """
import sys
from pathlib import Path
from releases.bundle import seal
print("ready", flush=True)
while True:
    seal(Path(sys.argv[1]))
"""


def test_a_kill_leaves_a_manifest_that_is_whole(bundle):
    for attempt in range(3):
        with subprocess.Popen([sys.executable, "-c", SEAL_FOREVER, str(bundle)], stdout=subprocess.PIPE) as sealer:
            sealer.stdout.readline()
            time.sleep(0.02 + 0.013 * attempt)
            sealer.kill()
        read_manifest(bundle)


def test_many_megabytes_are_hashed_in_a_moment(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.bin").write_bytes(bytes([number]) * (32 << 20))
    seal(tmp_path)
    start = time.perf_counter()
    verify(tmp_path)
    assert time.perf_counter() - start < 4
