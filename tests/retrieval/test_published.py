"""The index of a release: it never changes, every byte of it is held against a digest, a kill leaves it whole."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from polyloom.errors import DataError, IntegrityError
from retrieval.items import Field, Items
from retrieval.live import open_index, publish_index

ENCODER, OTHER = "e" * 64, "f" * 64
VECTORS = np.random.default_rng(5).standard_normal((50, 8)).astype(np.float32)
IDS = [f"item-{number}" for number in range(50)]
FIELDS = {"text": Field(ENCODER, 8)}
ITEMS = Items(
    ids=IDS,
    vectors={"text": VECTORS},
    rows=pa.table({"price": range(50), "title": IDS}),
    texts=[f"red hat {number}" for number in range(50)],
)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "index"
    publish_index(folder, ITEMS, fields=FIELDS, keyword=True)
    return folder


def files_of(folder):
    """The files of an index, and what is in them."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_holds_a_record_and_one_segment_and_no_more(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["index.json", "segments"]
    assert [path.name for path in (folder / "segments").iterdir()] == ["s1"]
    record = json.loads((folder / "index.json").read_text())
    assert record["fields"] == {"text": {"encoder_digest": ENCODER, "dim": 8, "metric": "cosine"}}
    assert record["parts"][0]["count"] == 50


def test_vectors_are_memory_mapped(folder):
    index = open_index(folder, encoders={"text": ENCODER}, trusted=True)
    if sys.platform == "linux":
        assert str(folder / "segments" / "s1" / "text.exact.faiss") in Path("/proc/self/maps").read_text()
    assert index.field("text").search(VECTORS[:3], 1).ids == [["item-0"], ["item-1"], ["item-2"]]


def test_the_same_items_give_the_same_bytes(folder, tmp_path):
    publish_index(tmp_path / "again", ITEMS, fields=FIELDS, keyword=True)
    assert files_of(tmp_path / "again") == files_of(folder)


def test_every_file_that_is_changed_cut_or_missing_is_named(folder):
    for name, content in files_of(folder).items():
        flipped = bytearray(content)
        flipped[len(flipped) // 2] ^= 1
        for harm in (bytes(flipped), content[:-5], b"", None):
            (folder / name).unlink()
            if harm is not None:
                (folder / name).write_bytes(harm)
            with pytest.raises(IntegrityError, match=name.rpartition("/")[2]):
                open_index(folder, encoders={"text": ENCODER})
            (folder / name).write_bytes(content)
    assert len(open_index(folder, encoders={"text": ENCODER}).ids) == 50


def test_any_flipped_bit_of_the_record_is_refused(folder):
    path = folder / "index.json"
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        with pytest.raises(IntegrityError, match=r"index\.json is not what was recorded"):
            open_index(folder, encoders={"text": ENCODER})


@pytest.mark.parametrize("content", ["[]", "null", "{}", '{"digest": 1}', "\xff"])
def test_a_record_of_another_form_is_refused(folder, content):
    (folder / "index.json").write_text(content, encoding="latin-1")
    with pytest.raises(IntegrityError, match=r"index\.json is not what was recorded"):
        open_index(folder, encoders={"text": ENCODER})


@pytest.mark.parametrize(
    ("encoders", "message"),
    [
        ({"text": OTHER}, f"in 'text', to the encoder {ENCODER}, the query to {OTHER}. Embed"),
        ({}, f"in 'text', to the encoder {ENCODER}, the query to none"),
        ({"text": ENCODER, "image": OTHER}, f"in 'image', to the encoder no encoder, the query to {OTHER}"),
    ],
)
def test_other_encoders_are_refused_with_both_digests(folder, encoders, message):
    with pytest.raises(IntegrityError, match=message):
        open_index(folder, encoders=encoders)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="is there already"):
        publish_index(tmp_path, ITEMS, fields=FIELDS, keyword=True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_index_without_items_answers_nothing(tmp_path):
    publish_index(tmp_path / "index", Items(ids=[], vectors={"text": np.zeros((0, 8))}), fields=FIELDS)
    assert open_index(tmp_path / "index", encoders={"text": ENCODER}).field("text").search(VECTORS[:1], 3).ids == [[]]


PUBLISH_FOREVER = """
import sys, numpy as np
from pathlib import Path
from retrieval.items import Field, Items
from retrieval.live import publish_index
vectors = np.random.default_rng(0).standard_normal((4000, 64))
ids = [str(number) for number in range(4000)]
print("ready", flush=True)
for number in range(10_000):
    items = Items(ids=ids, vectors={"text": vectors})
    publish_index(Path(sys.argv[1]) / f"g{number}", items, fields={"text": Field("e", 64)})
"""


def test_a_kill_leaves_whole_indexes_only(tmp_path):
    for attempt in range(4):
        root = tmp_path / str(attempt)
        with subprocess.Popen(
            [sys.executable, "-c", PUBLISH_FOREVER, str(root)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        ) as builder:
            builder.stdout.readline()
            while not list(root.glob("g*")):
                time.sleep(0.001)
            time.sleep(0.007 * attempt)
            builder.kill()
        for folder in root.glob("g*"):
            assert len(open_index(folder, encoders={"text": "e"}).ids) == 4000


def test_opening_adds_nothing_to_it(folder):
    before = sorted(files_of(folder))
    for how in ({}, {"verify": True}, {"trusted": True}):
        open_index(folder, encoders={"text": ENCODER}, **how)
    assert sorted(files_of(folder)) == before
