"""What users did, as the newest snapshot of a scenario knows it: the histories that recommendations go by."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.feedback_places import USERS_KEY, feedback_folder
from ingestion.snapshots import open_snapshot
from polyloom.durable import read_json
from polyloom.errors import RequestError
from polyloom.home import home
from releases.runtime import Runtime
from retrieval.exploring.exposure import user_hash
from retrieval.exploring.key_file import read_or_make_key
from retrieval.recommending.recommender import Event


def history_of(runtime: Runtime, user: str) -> list[Event]:
    """What a user did, oldest first; nothing for one that nobody knows. Raises RequestError as `settings_of` does."""
    settings = settings_of(runtime)
    columns = settings["columns"]
    table = events_of(newest(runtime.name), settings["interactions"])
    own = table.filter(pc.is_in(table[columns["user"]].cast(pa.string()), pa.array(names_of(runtime.name, user))))
    events = [event(row, columns) for row in own.to_pylist() if row[columns["item"]] is not None]
    return sorted((one for one in events if one.weight > 0), key=lambda one: one.time)


def names_of(scenario: str, user: str) -> list[str]:
    """The names under which a user may stand among the events: the own one, and that of clicks that came back."""
    key = feedback_folder(scenario) / USERS_KEY
    return [user, user_hash(user, key=read_or_make_key(key))] if key.is_file() else [user]


def event(row: Mapping[str, Any], columns: Mapping[str, Any]) -> Event:
    """A row of the table of events."""
    weight = columns["weight"].get(str(row[columns["event"]]), 1.0) if columns["event"] else 1.0
    at = row[columns["time"]] if columns["time"] else None
    return Event(str(row[columns["item"]]), weight=float(weight), time=at.timestamp() if at is not None else 0.0)


def users_of(runtime: Runtime) -> Sequence[str]:
    """All users, those who did most first. Raises RequestError as `settings_of` does."""
    settings = settings_of(runtime)
    given = events_of(newest(runtime.name), settings["interactions"])[settings["columns"]["user"]]
    counts = pc.value_counts(given.combine_chunks().drop_null().cast(pa.string()))
    names, numbers = counts.field("values").to_pylist(), np.asarray(counts.field("counts"))
    return [names[place] for place in np.argsort(-numbers, kind="stable").tolist()]


def settings_of(runtime: Runtime) -> Mapping[str, Any]:
    """How a release recommends. Raises RequestError when it does not."""
    found: Mapping[str, Any] | None = runtime.facts.get("recommend")
    if not found:
        raise RequestError(
            f"{runtime.name!r} recommends nothing. Add a section `recommend` to its scenario and run it again."
        )
    return found


def newest(scenario: str) -> Path:
    """The folder of a scenario's newest snapshot. Raises RequestError when this machine has none."""
    folder = home() / "snapshots" / scenario
    if not (folder / "current.json").is_file():
        raise RequestError(
            f"{folder} holds no snapshot, so nobody's history is known here. Next: polyloom ingest {scenario}"
        )
    return folder / str(read_json(folder / "current.json")["id"])


@lru_cache(maxsize=4)
def events_of(snapshot: Path, table: str) -> pa.Table:
    """The table of events of a snapshot, which never changes."""
    return open_snapshot(snapshot).table(table)
