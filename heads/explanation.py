"""Why a task answers a row as it does; without torch, and plain enough for JSON.

Weights are in units of the score that is explained (`heads.explained_score`): above 0 speaks for the answer.
"""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class WordWeight:
    """A word, of Chinese a character, at the characters `start` to `end` of its text, `end` exclusive."""

    text: str
    start: int
    end: int
    weight: float


@dataclass(frozen=True)
class ColumnWeight:
    """A column's value in the row."""

    column: str
    value: str | float
    weight: float


@dataclass(frozen=True)
class Evidence:
    """What counts within `modalities`, which are several where they read the same text; `method` is how it was found.

    One of: `words` of `text`; `cells` [rows][columns] of the square that a picture encoder sees; `columns`.
    """

    modalities: tuple[str, ...]
    method: str
    text: str | None = None
    words: tuple[WordWeight, ...] = ()
    cells: tuple[tuple[float, ...], ...] = ()
    columns: tuple[ColumnWeight, ...] = ()


@dataclass(frozen=True)
class KnownRow:
    """A row that is like the one explained: its own label, where it has one, and its cosine by modality.

    `picture` is the SHA-256 of its picture in the picture store.
    """

    id: str
    label: str | None
    cosines: dict[str, float]
    row: dict[str, Any]
    picture: str | None = None


@dataclass(frozen=True)
class Explanation:
    """Of the answer `label`: `contributions` by modality add up to `score` minus `base`, the score of an empty row."""

    label: str
    score: float
    base: float
    contributions: dict[str, float]
    evidence: tuple[Evidence, ...]
    near: tuple[KnownRow, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON value."""
        return asdict(self)
