"""What was shown to whom, how likely that was, and what came of it: a file of JSON lines that is only appended to.

A line is an exposure or the reward of one, joined by the exposure's id. A line that a crash cut off is passed over.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polyloom.durable import json_line, locked
from polyloom.errors import DataError
from retrieval.exploring.logged_choices import LoggedChoices


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """One choice as it was made.

    `at` is in seconds since 1970, `user` a hash as `user_hash` makes it, `chosen` the place among `candidates`,
    `contexts` what each candidate looked like [candidates, dim] (without them only `policy` can be judged).

    Raises: DataError for a place that there is not, a propensity outside 0..1, or contexts of another length.
    """

    id: str
    at: float
    user: str
    candidates: tuple[str, ...]
    chosen: int
    propensity: float
    policy: str
    version: str
    contexts: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.chosen < len(self.candidates):
            raise DataError(f"Exposure {self.id!r} is of place {self.chosen} among {len(self.candidates)} candidates.")
        if not 0 < self.propensity <= 1:
            raise DataError(
                f"Exposure {self.id!r} has the propensity {self.propensity}; it must be above 0 and at most 1."
            )
        if self.contexts and len(self.contexts) != len(self.candidates):
            raise DataError(
                f"Exposure {self.id!r} has {len(self.contexts)} contexts of {len(self.candidates)} candidates; give "
                "one for each, or none."
            )


def user_hash(user: str, *, key: bytes) -> str:
    """A user's name in the log: 16 hex digits that only a holder of the key can make."""
    return hmac.new(key, user.encode(), hashlib.sha256).hexdigest()[:16]


class ExposureLog:
    """A log that any number of processes append to, a line at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, exposure: Exposure) -> None:
        """Note what was shown."""
        self._append({"kind": "exposure", **asdict(exposure)})

    def reward(self, exposure_id: str, reward: float, *, at: float) -> None:
        """Note what an exposure brought; of several notes the last one counts."""
        self._append({"kind": "reward", "id": exposure_id, "reward": float(reward), "at": at})

    def exposures(self) -> list[Exposure]:
        """All exposures, in the order of the file; of two with one id the first."""
        found: dict[str, Exposure] = {}
        for line in self._lines("exposure"):
            try:
                exposure = _exposure(line)
            except (KeyError, TypeError, ValueError):
                continue
            found.setdefault(exposure.id, exposure)
        return list(found.values())

    def rewards(self) -> dict[str, float]:
        """By exposure the last reward that was noted."""
        return {line["id"]: float(line["reward"]) for line in self._lines("reward") if {"id", "reward"} <= {*line}}

    def choices(self, *, without_reward: float | None = None) -> LoggedChoices:
        """The exposures as arrays.

        An exposure that has no reward yet counts as `without_reward`, or not at all where this is None.

        Raises: DataError where no exposure has both contexts and a reward.
        """
        rewards = self.rewards()
        known = [one for one in self.exposures() if one.contexts and (one.id in rewards or without_reward is not None)]
        if not known:
            raise DataError(
                f"{self.path} holds no exposure with contexts and a reward. Log contexts, and join rewards."
            )
        return LoggedChoices(
            contexts=tuple(np.array(one.contexts, dtype=np.float64) for one in known),
            chosen=np.array([one.chosen for one in known]),
            propensities=np.array([one.propensity for one in known]),
            rewards=np.array([rewards.get(one.id, without_reward) for one in known], dtype=np.float64),
            users=np.array([one.user for one in known]),
        )

    def _append(self, value: dict[str, Any]) -> None:
        """One whole line; after a line that was cut off, on a new one."""
        with locked(self.path.with_name(f".{self.path.name}.lock")), self.path.open("ab+") as stream:
            end = stream.seek(0, 2)
            stream.seek(max(end - 1, 0))
            torn = end > 0 and stream.read(1) != b"\n"
            stream.write((b"\n" if torn else b"") + json_line(value))

    def _lines(self, kind: str) -> Iterator[dict[str, Any]]:
        """The whole lines of one kind."""
        if not self.path.is_file():
            return
        with self.path.open("rb") as stream:
            for line in stream:
                try:
                    value = json.loads(line)
                except ValueError:
                    continue
                if isinstance(value, dict) and value.get("kind") == kind:
                    yield value


def _exposure(line: dict[str, Any]) -> Exposure:
    own = {name: value for name, value in line.items() if name != "kind"}
    own["candidates"] = tuple(own["candidates"])
    own["contexts"] = tuple(tuple(row) for row in own["contexts"])
    return Exposure(**own)
