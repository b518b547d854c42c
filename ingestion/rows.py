"""One row on its way from a source to a snapshot or to quarantine."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ingestion.readers.reader import RawRow, StoredPicture
from ingestion.refusals import Refusal, RowRefused
from ingestion.schema import Schema
from ingestion.values import as_category

KEY_DIGITS = 24
CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@dataclass(slots=True)
class Row:
    """A row and what became of it. `identity` is its key, or its content where no key is declared."""

    raw: RawRow
    path: Path
    given_split: str
    typed: dict[str, object] = field(default_factory=dict)
    identity: str = ""
    key: str = ""
    split: str = ""
    content_hash: str = ""
    refusal: Refusal | None = None


def checked_row(
    raw: RawRow, schema: Schema, *, path: Path, given_split: str, key_column: str | None, key_prefix: str = ""
) -> Row:
    """A row with typed values, or with the reason why it is refused."""
    row = Row(raw=raw, path=path, given_split=given_split, refusal=raw.refusal)
    if row.refusal is None:
        try:
            row.typed = schema.check(raw.values)
            row.key = key_prefix + _key(raw.values.get(key_column)) if key_column else ""
        except RowRefused as refused:
            row.refusal = refused.refusal
    if row.refusal is not None:
        row.identity = hashlib.sha256(original_text(raw).encode()).hexdigest()
        row.key = _key_of_refused(raw, key_column)
    else:
        row.content_hash = content_hash(row.typed, schema.content)
        row.identity = row.key or row.content_hash
    return row


def content_hash(typed: Mapping[str, object], columns: Iterable[str]) -> str:
    """SHA-256 of a row's declared content; missing values do not count, so a new empty column changes nothing."""
    content = {name: _hashable(typed[name]) for name in columns if typed[name] is not None}
    return hashlib.sha256(CANONICAL.encode(content).encode()).hexdigest()


def original_text(raw: RawRow) -> str:
    """A row as its source has it, as text: the line itself, or its columns as JSON."""
    if raw.content:
        return raw.content
    text = json.dumps(raw.values, ensure_ascii=False, default=_described)
    return text.encode("utf-8", errors="replace").decode()


def _described(value: object) -> str:
    return f"<picture of {value.size} bytes>" if isinstance(value, StoredPicture) else str(value)


def _hashable(value: object) -> object:
    return value.sha256 if isinstance(value, StoredPicture) else value


def _key(value: object) -> str:
    key = as_category(value)
    if key is None:
        raise RowRefused("missing_value", "the key is empty.")
    return key


def _key_of_refused(raw: RawRow, key_column: str | None) -> str:
    value = raw.values.get(key_column) if key_column else None
    return "" if value is None else str(value).encode("utf-8", errors="replace").decode()
