"""The predictions that were kept last, newest first, out of the ends of the logs' files."""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from releases.serving.prediction_files import SUFFIX

TAIL_BYTES = 1 << 18
MOST_FILES = 32
"""No more is read: a page that is looked at again and again must not read a day."""


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
    found = [kept for path in _files(folder) for line in _last_lines(path, count) for kept in _members(line)]
    return sorted(found, key=lambda one: one.at, reverse=True)[:count]


def _files(folder: Path) -> list[Path]:
    """The files that were written to last, each of one process on one day."""
    times: dict[Path, float] = {}
    for path in folder.glob(f"*/*/*{SUFFIX}"):
        with contextlib.suppress(OSError):
            times[path] = path.stat().st_mtime
    return sorted(times, key=lambda path: times[path], reverse=True)[:MOST_FILES]


def _last_lines(path: Path, count: int) -> Iterator[dict[str, Any]]:
    """The last whole lines as objects; what a crash cut off is passed over, and a file that has just gone is empty."""
    with contextlib.suppress(OSError), path.open("rb") as stream:
        start = max(0, stream.seek(0, os.SEEK_END) - TAIL_BYTES)
        stream.seek(start)
        lines = stream.read(TAIL_BYTES).split(b"\n")
        for line in lines[1 if start else 0 :][-count - 1 :]:
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
