"""What was shown to whom, how likely that was, and what came of it: two files of JSON lines that are only appended to.

What a call appended is on the disk when it returns: neither a killed process nor a power cut takes it. A line that a
crash cut off belongs to a call that never returned, and is passed over. An exposure's id says where its line begins,
so that it is found at once however long the log is.
"""

import json
import math
import mmap
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from polyloom.durable import json_line, locked, sync_folder
from polyloom.errors import DataError, RequestError
from retrieval.exploring.exposure import Exposure, Line, Reward
from retrieval.exploring.logged_choices import LoggedChoices

SHOWN, REWARDS, LOCK = "shown.jsonl", "rewards.jsonl", ".lock"
LONGEST_ID = 64


class Rewarded(NamedTuple):
    """A reward as it was noted: what the exposure had brought `before`, and whether this one `counted` anew."""

    id: str
    reward: float
    before: float | None
    counted: bool


class ExposureLog:
    """A log in a folder of its own, to which any number of processes append."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shown, self.rewarded = folder / SHOWN, folder / REWARDS

    def held(self) -> AbstractContextManager[None]:
        """Keep all other processes and threads from appending; not to be nested."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return locked(self.folder / LOCK)

    def add(self, exposures: Sequence[Exposure]) -> list[Exposure]:
        """Note what was shown; the exposures with their ids."""
        if not exposures:
            return []
        named, lines = [], []
        with self.held():
            place = _next_place(self.shown)
            for exposure in exposures:
                named.append(replace(exposure, id=f"{place:x}-{secrets.token_hex(4)}"))
                lines.append(json_line(vars(named[-1])))
                place += len(lines[-1])
            _append(self.shown, b"".join(lines))
        return named

    def reward(self, id_: str, reward: float, *, at: float) -> Rewarded:
        """Note what an exposure brought, whenever that was; of several rewards the last one counts.

        A reward that is the exposure's already is not noted again. Raises: RequestError for an exposure that there is
        not, and for a reward that is no finite number.
        """
        if not math.isfinite(reward):
            raise RequestError(f"The reward is {reward}; it must be a finite number, such as 1 or 0.")
        with self.held():
            exposure = self.exposure(id_)
            before = self._last_reward(exposure.id)
            counted = before != reward
            if counted:
                line = {"id": exposure.id, "reward": float(reward), "before": before, "at": at}
                _append(self.rewarded, json_line(line))
        return Rewarded(exposure.id, float(reward), before, counted)

    def exposure(self, id_: str) -> Exposure:
        """The exposure of an id. Raises: RequestError where there is none."""
        found = self.find(id_)
        if found is None:
            raise RequestError(
                f"There is no exposure {id_[:LONGEST_ID]!r} in {self.folder}. Give the `exposure` of an item that "
                "`polyloom recommend SCENARIO --user ID --explore --json` has shown."
            )
        return found

    def find(self, id_: str) -> Exposure | None:
        """The exposure of an id, read at its place; None where there is none."""
        place = place_of(id_)
        if place is None or not self.shown.is_file() or place >= self.shown.stat().st_size:
            return None
        with self.shown.open("rb") as stream:
            stream.seek(place)
            found = Exposure.read(_object(stream.readline()))
        return found if found is not None and found.id == id_ else None

    def exposures_since(self, place: int = 0) -> Iterator[tuple[Exposure, Line]]:
        """Whole exposures whose lines begin at a place or later, in the order of the file."""
        for value, line in _lines(self.shown, place):
            found = Exposure.read(value)
            if found is not None:
                yield found, line

    def rewards_since(self, place: int = 0) -> Iterator[tuple[Reward, Line]]:
        """Whole rewards whose lines begin at a place or later, in the order of the file."""
        for value, line in _lines(self.rewarded, place):
            found = Reward.read(value)
            if found is not None:
                yield found, line

    def exposures(self) -> list[Exposure]:
        """All exposures, in the order of the file."""
        return [exposure for exposure, _ in self.exposures_since()]

    def rewards(self) -> dict[str, float]:
        """By exposure the last reward that was noted."""
        return {one.id: one.reward for one, _ in self.rewards_since()}

    def choices(self, *, without_reward: float | None = None) -> LoggedChoices:
        """The exposures with contexts as arrays.

        One that has no reward yet counts as `without_reward`, or not at all where this is None.

        Raises: DataError where none has both contexts and a reward.
        """
        rewards = self.rewards()
        known = [one for one in self.exposures() if one.contexts and (one.id in rewards or without_reward is not None)]
        if not known:
            raise DataError(
                f"{self.folder} holds no exposure with contexts and a reward. Log contexts, and join rewards."
            )
        return LoggedChoices(
            contexts=tuple(np.array(one.contexts, dtype=np.float64) for one in known),
            chosen=np.array([one.chosen for one in known]),
            propensities=np.array([one.propensity for one in known]),
            rewards=np.array([rewards.get(one.id, without_reward) for one in known], dtype=np.float64),
            users=np.array([one.user for one in known]),
        )

    def _last_reward(self, id_: str) -> float | None:
        """What an exposure has brought so far, without reading what was noted of others."""
        if not self.rewarded.is_file() or not self.rewarded.stat().st_size:
            return None
        begin = b'{"id":' + json.dumps(id_).encode() + b","
        with self.rewarded.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            place = content.rfind(begin)
            while place >= 0:
                content.seek(place)
                found = Reward.read(_object(content.readline()))
                if found is not None:
                    return found.reward
                place = content.rfind(begin, 0, place)
        return None


def place_of(id_: str) -> int | None:
    """Where the line of an exposure begins, as its id says; None for what is no id."""
    place, dash, _ = id_.partition("-")
    try:
        return int(place, 16) if dash and len(id_) <= LONGEST_ID and place.isalnum() else None
    except ValueError:
        return None


def _next_place(path: Path) -> int:
    """Where the next line of a file begins."""
    if not path.is_file():
        return 0
    return path.stat().st_size + _is_torn(path)


def _is_torn(path: Path) -> bool:
    """Whether the last line of a file was cut off."""
    with path.open("rb") as stream:
        end = stream.seek(0, os.SEEK_END)
        stream.seek(max(end - 1, 0))
        return end > 0 and stream.read(1) != b"\n"


def _append(path: Path, lines: bytes) -> None:
    """Whole lines, on the disk; after a line that was cut off, on a new one."""
    is_new = not path.is_file()
    torn = not is_new and _is_torn(path)
    with path.open("ab") as stream:
        stream.write((b"\n" if torn else b"") + lines)
        stream.flush()
        os.fsync(stream.fileno())
    if is_new:
        sync_folder(path.parent)


def _lines(path: Path, place: int) -> Iterator[tuple[dict[str, Any], Line]]:
    """The whole lines from a place on."""
    if not path.is_file():
        return
    with path.open("rb") as stream:
        stream.seek(place)
        for line in stream:
            end = place + len(line)
            if line.endswith(b"\n"):
                yield _object(line), Line(place, end)
            place = end


def _object(line: bytes) -> dict[str, Any]:
    """A line's object; an empty one for a line that is none."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
