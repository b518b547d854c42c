"""Which rows are about a forgotten item: by their key, by a column that refers to it, by a line that names it."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from ingestion.hashing import hash_bytes, key_texts
from ingestion.refused_row import original_values

FIELDS = re.compile(r'[\s,;|"\'{}\[\]:]+')


@dataclass(frozen=True, kw_only=True)
class Rows:
    """How rows name an item: `references` are the columns of each table, besides its key, that hold an item's key."""

    references: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def keys_of(self, table: str, part: pa.Table, *, has_key: bool) -> list[list[str | None]]:
        """The keys that the kept rows of a part name: a list for their own, and one for each reference."""
        own = part["_key"].to_pylist() if has_key else content_keys(part)
        there = [name for name in self.references.get(table, ()) if name in part.column_names]
        return [own, *(part[name].cast(pa.string()).to_pylist() for name in there)]

    def naming(self, table: str, part: pa.Table, keys: Collection[str], *, has_key: bool) -> np.ndarray:
        """Which kept rows of a part name one of the keys, bool [rows]."""
        named = np.zeros(part.num_rows, dtype=bool)
        for values in self.keys_of(table, part, has_key=has_key):
            named |= np.fromiter((value in keys for value in values), bool, len(values))
        return named

    def refused_naming(self, refused: pa.Table, keys: Collection[str]) -> np.ndarray:
        """Which refused rows name one of the keys, bool [rows]."""
        pairs = zip(refused["key"].to_pylist(), refused["content"].to_pylist(), strict=True)
        return np.array([key in keys or mentions(content, keys) for key, content in pairs], dtype=bool)


def content_keys(part: pa.Table) -> list[str | None]:
    """The keys that their content gives to rows without one, as they stand before equal rows are counted."""
    if not part.num_rows:
        return []
    found = key_texts(hash_bytes(part["_content" if "_content" in part.column_names else "_hash"].combine_chunks()))
    return [key.decode() for key in found.tolist()]


def mentions(content: str, keys: Collection[str]) -> bool:
    """Whether a refused row's content has one of the keys as a value, or as a field where it could not be read."""
    return not mentioned(content).isdisjoint(keys)


def mentioned(content: str) -> set[str]:
    """The values of a refused row's content that could be a key."""
    values = original_values(content)
    return set(FIELDS.split(content)) if values is None else {str(value).strip() for value in values.values()}
