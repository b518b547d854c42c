"""What every reader gives: raw rows with their origin, or a refusal where a row cannot be read."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from ingestion.readers.picture_values import PictureBytes
from ingestion.refusals import Refusal

CONTENT_LIMIT = 100_000


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A picture whose bytes stay in the source: their SHA-256 and size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as the source has it. `number` is the line it starts on, or its position where there are no lines.

    `content` is its original text where there is one; a refused row has that and no values.
    """

    source: str
    number: int
    values: Mapping[str, object]
    refusal: Refusal | None = None
    content: str = ""


class Reader(Protocol):
    """One source file or folder."""

    def header(self) -> frozenset[str] | None:
        """The columns of the source, or None where only reading every row tells."""

    def rows(self) -> Iterator[RawRow]:
        """Every row, in the order of the source."""


def refused_row(source: str, number: int, refusal: Refusal, content: str) -> RawRow:
    """A row that cannot be read; what is not text in its content becomes `?`."""
    text = content[:CONTENT_LIMIT].encode("utf-8", errors="replace").decode()
    return RawRow(source, number, {}, refusal, text)


def original_text(raw: RawRow) -> str:
    """A row as its source has it, as text: the line itself, or its columns as JSON."""
    if raw.content:
        return raw.content
    text = json.dumps(raw.values, ensure_ascii=False, default=_described)
    return text.encode("utf-8", errors="replace").decode()


def _described(value: object) -> str:
    if isinstance(value, PictureBytes):
        return f"<picture of {len(value.content)} bytes>"
    return f"<picture of {value.size} bytes>" if isinstance(value, StoredPicture) else str(value)
