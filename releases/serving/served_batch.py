"""What was run in one call, as it is kept: a batch, as the company of other rows changes the last bits of a score."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ingestion.blobs import blob_path
from polyloom.errors import RequestError

PICTURE = "$picture"
SHA256_DIGITS = 64


@dataclass(frozen=True, kw_only=True)
class Member:
    """A request within a batch: `rows` rows from `place` on, under the id of its `prediction`."""

    prediction: str
    request: str
    place: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class ServedBatch:
    """Rows as they were run in one call of a release, and what was answered to each, as JSON has it.

    `release` is a digest, `action` and `options` are those of `releases.serving.acts`; `index` is the state of the
    index that answered, where one did, and `threads` how many the release was opened with. Not `exact` where a row as
    it is here is not what the model saw. `at` is in seconds since 1970.
    """

    scenario: str
    release: str
    action: str
    rows: Sequence[Mapping[str, Any]]
    answers: Sequence[Any]
    members: Sequence[Member]
    options: Mapping[str, Any] = field(default_factory=dict)
    index: str | None = None
    threads: int = 0
    exact: bool = True
    at: float = field(default_factory=time.time)

    def to_json(self, put: Callable[[bytes], str]) -> dict[str, Any]:
        """As a JSON object; `put` takes each picture and names it."""
        return {
            **{name: value for name, value in vars(self).items() if name not in {"rows", "options", "members"}},
            "members": [asdict(one) for one in self.members],
            "options": _without_bytes(dict(self.options), put),
            "rows": [_without_bytes(dict(row), put) for row in self.rows],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], blobs: Path) -> "ServedBatch":
        """What `to_json` gave, with its pictures. Raises: RequestError where one is gone."""
        own = {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        own["members"] = tuple(Member(**one) for one in value["members"])
        return cls(**own | {name: _with_bytes(value[name], blobs) for name in ("rows", "options")})

    @property
    def weight(self) -> int:
        """About how many bytes it holds."""
        return _weight(self.rows) + _weight(self.answers) + 200 * (1 + len(self.members))


@dataclass(frozen=True, kw_only=True)
class LoggedPrediction:
    """One request as it was kept, within its batch; `machine` says where that ran."""

    batch: ServedBatch
    member: Member
    machine: Mapping[str, str]

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """The request's own rows."""
        return self.part(self.batch.rows)

    @property
    def answers(self) -> Sequence[Any]:
        """What was answered to them."""
        return self.part(self.batch.answers)

    def part(self, of_batch: Sequence[Any]) -> Sequence[Any]:
        """The request's part of something that the batch has for each row."""
        return of_batch[self.member.place : self.member.place + self.member.rows]


def _without_bytes(value: Any, put: Callable[[bytes], str]) -> Any:
    if isinstance(value, bytes):
        return {PICTURE: put(value)}
    if isinstance(value, (list, tuple)):
        return [_without_bytes(one, put) for one in value]
    return {name: _without_bytes(one, put) for name, one in value.items()} if isinstance(value, dict) else value


def _with_bytes(value: Any, blobs: Path) -> Any:
    if isinstance(value, list):
        return [_with_bytes(one, blobs) for one in value]
    if not isinstance(value, dict):
        return value
    return (
        _picture(str(value[PICTURE]), blobs)
        if value.keys() == {PICTURE}
        else {name: _with_bytes(one, blobs) for name, one in value.items()}
    )


def _picture(sha256: str, blobs: Path) -> bytes:
    try:
        return blob_path(blobs, sha256).read_bytes()
    except OSError as error:
        raise RequestError(f"A picture of the prediction is not in {blobs} any more ({error.strerror}).") from error


def _weight(value: Any) -> int:
    if isinstance(value, (str, bytes)):
        return 50 + len(value)
    if isinstance(value, Mapping):
        return 64 + sum(50 + len(name) + _weight(one) for name, one in value.items())
    return 56 + sum(map(_weight, value)) if isinstance(value, (list, tuple)) else 32
