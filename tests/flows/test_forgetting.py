"""What is forgotten besides the snapshots: embeddings, journals; and what is only listed: releases."""

import json
from pathlib import Path

import numpy as np
import pytest

from flows.forgetting import clean_line, item_texts, remove_embeddings
from flows.released_rows import named_snapshots, released_pictures, releases_with
from flows.scenario_file import load_scenario
from retrieval.segment import read_arrow
from tests.support.small_bundle import release_small_bundle
from tests.support.toys import write_toys
from training.embedding import EmbeddingCache, text_hash


def test_vectors_leave_every_cache_and_the_others_stay(tmp_path: Path) -> None:
    for encoder, texts in (("e1", ["a lamp", "a chair"]), ("e2", ["a lamp"])):
        cache = EmbeddingCache(tmp_path / encoder)
        cache.add([text_hash(text) for text in texts], np.arange(len(texts) * 2, dtype=np.float32).reshape(-1, 2))
    assert remove_embeddings(tmp_path, {text_hash("a lamp"), text_hash("never seen")}) == 2
    left = EmbeddingCache(tmp_path / "e1").read()
    assert {digest: vector.tolist() for digest, vector in left.items()} == {text_hash("a chair"): [2.0, 3.0]}
    assert EmbeddingCache(tmp_path / "e2").read() == {}


def test_texts_are_hashed_as_encoders_are_given_them(tmp_path: Path) -> None:
    loaded = load_scenario(str(write_toys(tmp_path / "toys")))
    row = {"id": "t1", "title": " a red robot ", "material": "tin", "price": 1.0, "_hash": b"\0"}
    texts = item_texts([row], loaded)
    assert {"a red robot", "tin", "t1"} <= texts
    assert item_texts([{"title": None}], loaded) == set()


@pytest.mark.parametrize(
    ("event", "cleaned"),
    [
        (
            {"kind": "log", "message": "the key 'b' of Ms Winter"},
            {"kind": "log", "message": "the key [forgotten] of [forgotten]"},
        ),
        ({"kind": "advanced", "done": 7, "stage": "b"}, {"kind": "advanced", "done": 7, "stage": "b"}),
        ({"values": [{"x": "Ms Winter"}]}, {"values": [{"x": "[forgotten]"}]}),
    ],
)
def test_a_journal_loses_texts_and_quoted_keys(event, cleaned) -> None:
    assert json.loads(clean_line(json.dumps(event), ["Ms Winter"], ["b"])) == cleaned


def test_a_torn_line_of_a_journal_goes() -> None:
    assert clean_line('{"kind": "log", "message": "Ms Win', ["Ms Winter"], []) == ""


def test_releases_that_hold_or_learned_from_an_item_are_listed(
    polyloom_home: Path, mlflow_uri: str, monkeypatch
) -> None:
    (polyloom_home / "releases").mkdir(parents=True)
    (polyloom_home / "mlflow.db").write_bytes(Path(mlflow_uri.removeprefix("sqlite:///")).read_bytes())
    release = release_small_bundle(polyloom_home)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{polyloom_home / 'mlflow.db'}")
    items = read_arrow(release.path / "index" / "segments" / "s1" / "rows.arrow").to_pylist()
    key, other = items[0]["_key"], items[1]["picture"]
    (found,) = releases_with("shop", [key], snapshots=[])
    assert (found.version, found.digest, found.why) == (release.version, release.digest, "its index holds the item")
    assert "champion" in found.aliases
    (learned,) = releases_with("shop", ["gone"], snapshots=["5" * 64])
    assert learned.why == "it learned from a snapshot that held the item"
    (perhaps,) = releases_with("shop", ["gone"], snapshots=[])
    assert perhaps.why == "its snapshot is gone: it may have learned from the item"
    snapshot = polyloom_home / "snapshots/shop" / ("5" * 64)
    snapshot.mkdir(parents=True)
    (snapshot / "manifest.json").write_text("{}")
    assert releases_with("shop", ["gone"], snapshots=[]) == []
    assert named_snapshots("shop") == {"5" * 64}
    assert len(released_pictures()) == len({row["picture"] for row in items})
    assert released_pictures(but=[key], of="shop") >= {other}
    assert items[0]["picture"] not in released_pictures(but=[key], of="shop")
