"""Signatures of texts are remembered, and remembering changes nothing but the time."""

from pathlib import Path

import numpy as np
import pytest

from ingestion.examination import signatures
from ingestion.examination.near_texts import near_texts
from ingestion.examination.signatures import text_signatures
from polyloom.progress import SilentBar
from tests.ingestion.examination.toys import sentences


@pytest.fixture
def looked_at(monkeypatch) -> list[str]:
    """The texts that are cut into shingles."""
    seen: list[str] = []
    cut = signatures.shingles

    def counted(text: str) -> frozenset[str]:
        seen.append(text)
        return cut(text)

    monkeypatch.setattr(signatures, "shingles", counted)
    return seen


def test_only_new_texts_are_looked_at(tmp_path: Path, looked_at) -> None:
    texts, path = sentences(30), tmp_path / "signatures" / "t.parquet"
    first = text_signatures(texts[:20], bar=SilentBar(), remembered=path)
    looked_at.clear()
    again = text_signatures(texts[5:], bar=SilentBar(), remembered=path)
    assert looked_at == texts[20:]
    assert np.array_equal(again[:15], first[5:])
    assert np.array_equal(again, text_signatures(texts[5:], bar=SilentBar()))
    looked_at.clear()
    # What was not asked for the last time is forgotten, so that the file does not grow without end.
    text_signatures(texts[:5], bar=SilentBar(), remembered=path)
    assert looked_at == texts[:5]


def test_pairs_are_the_same(tmp_path: Path) -> None:
    texts = sentences(60)
    texts += [f"{text[:-2]}" for text in texts[:10]]
    plain = near_texts(texts)
    for _ in range(2):
        found = near_texts(texts, remembered=tmp_path / "t.parquet")
        assert np.array_equal(found.positions, plain.positions)
        assert len(found.positions) >= 10


@pytest.mark.parametrize("damage", ["cut", "flipped", "no parquet", "another method"])
def test_a_file_that_cannot_be_used_counts_as_empty(tmp_path: Path, monkeypatch, looked_at, damage: str) -> None:
    texts, path = sentences(10), tmp_path / "t.parquet"
    first = text_signatures(texts, bar=SilentBar(), remembered=path)
    content = bytearray(path.read_bytes())
    if damage == "another method":
        monkeypatch.setattr(signatures, "METHOD", b"2")
    elif damage == "flipped":
        content[len(content) // 3] ^= 1
    path.write_bytes({"cut": content[:-5], "no parquet": b"x"}.get(damage, content))
    looked_at.clear()
    assert np.array_equal(text_signatures(texts, bar=SilentBar(), remembered=path), first)
    assert looked_at == texts


def test_nothing_to_look_at(tmp_path: Path) -> None:
    assert text_signatures([], bar=SilentBar(), remembered=tmp_path / "t.parquet").shape == (0, 64)
