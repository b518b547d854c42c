"""A generation on disk: round trip, damage, kills."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from polyloom.errors import DataError, IntegrityError
from retrieval.generation import build_generation, open_generation

ENCODER, OTHER = "e" * 64, "f" * 64
VECTORS = np.random.default_rng(5).standard_normal((50, 8)).astype(np.float32)
IDS = [f"item-{number}" for number in range(50)]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "index" / "text"
    build_generation(folder, ids=IDS, vectors=VECTORS, encoder_digest=ENCODER)
    return folder


def test_a_generation_is_three_files_and_no_more(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["generation.json", "ids.json", "index.faiss"]
    assert [path.name for path in folder.parent.iterdir()] == ["text"]
    record = json.loads((folder / "generation.json").read_text())
    assert record["encoder_digest"] == ENCODER
    assert (record["dim"], record["count"], record["metric"]) == (8, 50, "inner_product")


def test_a_generation_is_memory_mapped(folder):
    index = open_generation(folder, encoder_digest=ENCODER)
    if sys.platform == "linux":
        assert str(folder / "index.faiss") in Path("/proc/self/maps").read_text()
    assert index.search(VECTORS[:3], 1).ids == [["item-0"], ["item-1"], ["item-2"]]


@pytest.mark.parametrize("name", ["generation.json", "ids.json", "index.faiss"])
@pytest.mark.parametrize("damage", ["flipped", "truncated", "missing", "empty"])
def test_a_damaged_file_is_named(folder, name, damage):
    path = folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"flipped": bytes(content), "truncated": bytes(content[:-5]), "empty": b""}[damage])
    with pytest.raises(IntegrityError, match=name):
        open_generation(folder, encoder_digest=ENCODER)


def test_any_flipped_bit_of_the_record_is_refused(folder):
    path = folder / "generation.json"
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        with pytest.raises(IntegrityError, match=r"generation\.json is not what was recorded"):
            open_generation(folder, encoder_digest=ENCODER)


@pytest.mark.parametrize("content", ["[]", "null", "{}", '{"digest": 1}', "\xff"])
def test_a_record_of_another_form_is_refused(folder, content):
    (folder / "generation.json").write_text(content, encoding="latin-1")
    with pytest.raises(IntegrityError, match=r"generation\.json is not what was recorded"):
        open_generation(folder, encoder_digest=ENCODER)


def test_another_encoder_is_refused_with_both_digests(folder):
    with pytest.raises(IntegrityError, match=rf"belongs to the encoder {ENCODER}, the query to {OTHER}\. Embed"):
        open_generation(folder, encoder_digest=OTHER)


def test_no_generation_is_said_plainly(tmp_path):
    with pytest.raises(IntegrityError, match="there is no generation here"):
        open_generation(tmp_path / "none", encoder_digest=ENCODER)


def test_building_the_same_again_changes_nothing(folder):
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    build_generation(folder, ids=IDS, vectors=VECTORS, encoder_digest=ENCODER)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before


@pytest.mark.parametrize(("vectors", "encoder"), [(-VECTORS, ENCODER), (VECTORS, OTHER)])
def test_a_generation_never_changes(folder, vectors, encoder):
    with pytest.raises(DataError, match="holds something else already"):
        build_generation(folder, ids=IDS, vectors=vectors, encoder_digest=encoder)
    assert open_generation(folder, encoder_digest=ENCODER).search(VECTORS[:1], 1).ids == [["item-0"]]


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="holds something else already"):
        build_generation(tmp_path, ids=IDS, vectors=VECTORS, encoder_digest=ENCODER)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


BUILD_FOREVER = """
import sys, numpy as np
from pathlib import Path
from retrieval.generation import build_generation
vectors = np.random.default_rng(0).standard_normal((4000, 64))
ids = [str(number) for number in range(4000)]
print("ready", flush=True)
for number in range(10_000):
    build_generation(Path(sys.argv[1]) / f"g{number}", ids=ids, vectors=vectors, encoder_digest="e")
"""


def test_a_kill_leaves_whole_generations_only(tmp_path):
    for attempt in range(4):
        root = tmp_path / str(attempt)
        with subprocess.Popen([sys.executable, "-c", BUILD_FOREVER, str(root)], stdout=subprocess.PIPE) as builder:
            builder.stdout.readline()
            while not list(root.glob("g*")):
                time.sleep(0.001)
            time.sleep(0.007 * attempt)
            builder.kill()
        for folder in root.glob("g*"):
            assert len(open_generation(folder, encoder_digest="e").ids) == 4000
