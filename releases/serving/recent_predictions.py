"""What was kept last, newest first, out of the ends of the logs' files."""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from polyloom.errors import RequestError
from releases.serving.prediction_files import BLOBS, SUFFIX
from releases.serving.served_batch import ServedBatch

MOST_FILES = 32
TAIL_BYTES = 1 << 18
"""Of each file no more is read to show predictions: a page that is looked at again and again must not read a day."""
BATCHES_BYTES = 64 << 20
"""Of each file no more is read to run batches again."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A prediction: what was asked of which release (a digest), with how many rows, and how many it ran with."""

    prediction: str
    scenario: str
    action: str
    release: str
    rows: int
    together: int
    at: datetime


def recent(folder: Path, *, count: int) -> list[Kept]:
    """At most `count` predictions of all scenarios whose logs lie in a folder; fewer where their lines are long."""
    found: list[Kept] = []
    for path in _files(folder, "*/*/*"):
        for number, line in enumerate(_lines(path, TAIL_BYTES)):
            if number >= count:
                break
            found += _members(line)
    return sorted(found, key=lambda one: one.at, reverse=True)[:count]


def recent_batches(folder: Path, scenario: str, *, release: str, action: str, rows: int) -> list[ServedBatch]:
    """The batches of a release (a digest) and an action that ran last, newest first, with about `rows` rows in all.

    Only those of which the model saw what is kept, and whose pictures are still there.
    """
    found: list[ServedBatch] = []
    for path in _files(folder / scenario, "*/*"):
        for line in _lines(path, BATCHES_BYTES, having=release.encode()):
            if sum(len(batch.rows) for batch in found) >= rows:
                return found
            if (line["release"], line["action"], line["exact"]) == (release, action, True):
                with contextlib.suppress(RequestError):
                    found.append(ServedBatch.from_json(line, path.parent / BLOBS))
    return found


def _files(folder: Path, below: str) -> list[Path]:
    """The files that were written to last, each of one process on one day."""
    times: dict[Path, float] = {}
    for path in folder.glob(f"{below}{SUFFIX}"):
        with contextlib.suppress(OSError):
            times[path] = path.stat().st_mtime
    return sorted(times, key=lambda path: times[path], reverse=True)[:MOST_FILES]


def _lines(path: Path, most_bytes: int, *, having: bytes = b"") -> Iterator[dict[str, Any]]:
    """The whole lines `having` some bytes, from the last on.

    What a crash cut off is passed over, and a file that has just gone is empty.
    """
    with contextlib.suppress(OSError), path.open("rb") as stream:
        start = max(0, stream.seek(0, os.SEEK_END) - most_bytes)
        stream.seek(start)
        lines = stream.read(most_bytes).split(b"\n")
        for line in reversed(lines[1 if start else 0 :]):
            if having in line:
                with contextlib.suppress(ValueError):
                    yield json.loads(line)


def _members(line: dict[str, Any]) -> Iterator[Kept]:
    for member in line["members"]:
        yield Kept(
            prediction=member["prediction"],
            scenario=line["scenario"],
            action=line["action"],
            release=line["release"],
            rows=member["rows"],
            together=len(line["rows"]),
            at=datetime.fromtimestamp(line["at"], UTC),
        )
