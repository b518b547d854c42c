"""One choice as it was made and logged, and one reward that came back."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from polyloom.errors import DataError


class Line(NamedTuple):
    """Where a line of a file begins and ends, in bytes."""

    begin: int
    end: int


class Reward(NamedTuple):
    """What an exposure brought, and what it had brought `before`; None where that was not known."""

    id: str
    reward: float
    before: float | None

    @classmethod
    def read(cls, line: Mapping[str, Any]) -> "Reward | None":
        """The reward of a line; None for a line of something else."""
        try:
            before = line.get("before")
            return cls(str(line["id"]), float(line["reward"]), None if before is None else float(before))
        except (KeyError, TypeError, ValueError):
            return None


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """One choice as it was made; `id` is given by the log.

    `at` is in seconds since 1970, `user` a hash as `user_hash` makes it, `chosen` the place among `candidates`,
    `contexts` what each candidate looked like [candidates, dim] (without them only `policy` can be judged).

    Raises: DataError for a place that there is not, a propensity outside 0..1, or contexts of another length.
    """

    id: str = ""
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

    @property
    def explored(self) -> bool:
        """Whether there was anything to choose from."""
        return len(self.candidates) > 1

    @property
    def item(self) -> str:
        """What was shown."""
        return self.candidates[self.chosen]

    @classmethod
    def read(cls, line: Mapping[str, Any]) -> "Exposure | None":
        """The exposure of a line; None for a line of something else."""
        try:
            own = dict(line)
            own["candidates"] = tuple(own["candidates"])
            own["contexts"] = tuple(tuple(row) for row in own["contexts"])
            return cls(**own)
        except (KeyError, TypeError, ValueError, DataError):
            return None


def user_hash(user: str, *, key: bytes) -> str:
    """A user's name in the log: 16 hex digits that only a holder of the key can make."""
    return hmac.new(key, user.encode(), hashlib.sha256).hexdigest()[:16]
