"""What is known of licences is told, and what is not known is said to be."""

import importlib.metadata

import pytest

from ingestion.datasets import known_licence
from releases.licences import library_licence, licence_notes, table

WEIGHTS = {
    "text": {"model": "MiniLM", "origin": "packaged", "licence": "Apache-2.0"},
    "image": {"model": "a|b", "origin": "hub"},
}


def test_each_part_has_its_line():
    told = licence_notes(
        title="Shop", weights=WEIGHTS, data={"items": "CC BY 4.0", "events": None}, libraries=["numpy", "no-such"]
    )
    assert "| text | MiniLM | packaged | Apache-2.0 |" in told
    assert "| image | a\\|b | hub | not stated |" in told
    assert "| items | CC BY 4.0 |" in told
    assert "| events | not stated |" in told
    assert "| no-such | not stated |" in told
    assert told == licence_notes(
        title="Shop", weights=WEIGHTS, data={"items": "CC BY 4.0", "events": None}, libraries=["no-such", "numpy"]
    )


def test_without_weights_it_says_so():
    assert "None: nothing was trained before." in licence_notes(title="T", weights={}, data={}, libraries=[])
    assert table(("a",), []) == ""


@pytest.mark.parametrize("backported", [False, True])
def test_a_library_tells_its_licence_in_a_line(monkeypatch, backported):
    if backported:
        # As after the import of a library that brings the backport along: it reads everybody's metadata from then on.
        monkeypatch.setattr(importlib.metadata, "metadata", pytest.importorskip("importlib_metadata").metadata)
    assert "BSD" in library_licence("numpy")
    assert library_licence("tokenizers") == "Apache Software License"
    assert "\n" not in library_licence("scipy")


def test_the_licence_of_a_known_data_set_is_that_of_its_path(tmp_path):
    assert known_licence("banking77/train.csv", beside=tmp_path) == "CC BY 4.0"
    assert known_licence("/banking77/train.csv", beside=tmp_path) is None
    assert known_licence("own/train.csv", beside=tmp_path) is None
    assert known_licence("", beside=tmp_path) is None
    (tmp_path / "banking77").mkdir()
    (tmp_path / "banking77" / "train.csv").touch()
    assert known_licence("banking77/train.csv", beside=tmp_path) is None
