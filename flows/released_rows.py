"""What releases rest on and show: the snapshots they learned from, the items and the pictures that they find."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows import settings
from polyloom.durable import read_json
from polyloom.home import home
from releases.registry import Registered, Registry
from releases.runtime import INDEX

SNAPSHOT_TAG = "polyloom.snapshot"


@dataclass(frozen=True, kw_only=True)
class LearnedFrom:
    """A release that an item is in, or may be in, and why."""

    scenario: str
    version: str
    digest: str
    aliases: tuple[str, ...]
    path: str
    why: str


def releases_with(scenario: str, keys: Iterable[str], *, snapshots: Iterable[str]) -> list[LearnedFrom]:
    """The releases of a scenario that hold one of the items, learned from one of the snapshots, or may have."""
    wanted, held = set(keys), set(snapshots)
    return [
        LearnedFrom(
            scenario=scenario,
            version=release.version,
            digest=release.digest,
            aliases=release.aliases,
            path=str(release.path),
            why=why,
        )
        for release in registry().versions(scenario)
        if (why := _why(release, wanted, held))
    ]


def named_snapshots(scenario: str) -> set[str]:
    """The snapshots that a release of the scenario was made from, or that a run is at work on."""
    store = registry()
    named = {release.tags.get(SNAPSHOT_TAG, "") for release in store.versions(scenario)}
    experiment = store.client.get_experiment_by_name(scenario)
    if experiment is not None:
        running = store.client.search_runs([experiment.experiment_id], "attributes.status = 'RUNNING'")
        named |= {run.data.tags.get(SNAPSHOT_TAG, "") for run in running}
    return named - {""}


def released_pictures(*, but: Iterable[str] = (), of: str | None = None) -> set[str]:
    """The pictures, by SHA-256, that releases of all scenarios show; `but` are items of scenario `of` left out."""
    left_out = set(but)
    found: set[str] = set()
    for bundle in sorted((home() / "releases").glob("*/*")):
        skip = left_out if bundle.parent.name == of else set()
        found |= {picture for key, picture in pictures_of(bundle) if key not in skip}
    return found


def registry() -> Registry:
    """The registry of this state folder."""
    settings.apply()
    return Registry(os.environ["MLFLOW_TRACKING_URI"], home() / "ledger")


def _why(release: Registered, keys: set[str], snapshots: set[str]) -> str:
    if not keys.isdisjoint(item["_key"] for item in _items(release.path, ["_key"])):
        return "its index holds the item"
    snapshot = release.tags.get(SNAPSHOT_TAG, "")
    if snapshot in snapshots:
        return "it learned from a snapshot that held the item"
    there = home() / "snapshots" / release.scenario / snapshot / "manifest.json"
    return "" if snapshot and there.is_file() else "its snapshot is gone: it may have learned from the item"


def pictures_of(bundle: Path) -> Iterator[tuple[str, str]]:
    """The key and the picture, by SHA-256, of each item that a release was sealed with and that has one."""
    if not (bundle / "application.json").is_file():
        return
    index: dict[str, Any] = read_json(bundle / "application.json")["index"] or {}
    if index.get("image"):
        rows = _items(bundle, ["_key", index["image"]])
        yield from ((row["_key"], row[index["image"]]) for row in rows if row[index["image"]])


def _items(bundle: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Some columns of the items that a release was sealed with; none where it has no index."""
    from retrieval.live import open_index
    from retrieval.state import RECORD, read_state

    folder = bundle / INDEX
    if not (folder / RECORD).is_file():
        return []
    encoders = {name: field.encoder_digest for name, field in read_state(folder).fields.items()}
    rows: list[dict[str, Any]] = open_index(folder, encoders=encoders, trusted=True).table(columns).to_pylist()
    return rows
