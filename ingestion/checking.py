"""A chunk through every check that needs no other chunk: types, required values, cleaning, declared rules, hashes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.columns import RawColumn, typed_column
from ingestion.hashing import content_hashes, hash_identities, identities
from ingestion.quarantine import QUARANTINE_SCHEMA
from ingestion.readers.chunks import Chunk, Segment
from ingestion.readers.parquet import python_value
from ingestion.readers.picture_values import PictureBytes
from ingestion.readers.reader import RawRow, StoredPicture, original_text
from ingestion.refusals import Refusal
from ingestion.schema import Schema

PictureTaker = Callable[[bytes], str | Refusal]
# Of rows with pictures: the hash of the content with the picture as the source tells it; `_hash` is without it.
CONTENT = "_content"
REFUSED_SCHEMA = QUARANTINE_SCHEMA.append(pa.field("_identity", pa.uint64()))


class Checked(NamedTuple):
    """A chunk's kept rows with the columns that start with `_`, its refused ones, and the columns that it has."""

    kept: pa.Table
    refused: pa.Table
    found: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class ChunkCheck:
    """The checks of one source. `take_picture` stores a picture's bytes and gives their SHA-256, or a refusal.

    `holds` tells whether a stored picture is still there; None where the source can be asked for it again.
    """

    table: str
    schema: Schema
    key_column: str | None
    key_prefix: str
    take_picture: PictureTaker
    holds: Callable[[str, int], bool] | None = None

    def check(self, chunk: Chunk) -> Checked:
        """The chunk's rows, each kept or refused."""
        parts = [self._rows(_Raw.of(chunk.source, segment)) for segment in chunk.segments()]
        return Checked(
            kept=pa.concat_tables([part.kept for part in parts]).combine_chunks() if parts else self._nothing(chunk),
            refused=pa.concat_tables([part.refused for part in parts]) if parts else REFUSED_SCHEMA.empty_table(),
            found=frozenset().union(*(part.found for part in parts)),
        )

    def _rows(self, raw: "_Raw") -> Checked:
        refusals = dict(raw.refusals)
        typed: dict[str, pa.Array] = {}
        for name, kind in self.schema.kinds.items():
            values = self._taken(raw.column(name), refusals) if kind == "image" else raw.column(name)
            typed[name], found = self._typed(name, kind, values)
            _add(refusals, found)
        _add(refusals, self._missing(raw, typed))
        keys = self._keys(raw, typed)
        if self.key_column:
            empty = np.flatnonzero(keys.is_null().to_numpy(zero_copy_only=False)).tolist()
            _add(refusals, dict.fromkeys(empty, Refusal("missing_value", "the key is empty.")))
        table = pa.table(typed)
        if self.schema.rules is not None:
            _add(refusals, self.schema.rules.check(table))
        return self._divided(raw, table, keys, refusals)

    def _typed(self, name: str, kind: str, values: RawColumn) -> tuple[pa.Array, Mapping[int, Refusal]]:
        array, refusals = typed_column(kind, values)
        found = dict(refusals)
        if kind in {"text", "category"}:
            array, unclean = self.schema.cleaning.clean(array)
            found |= unclean
        if kind == "text" and self.schema.personal is not None:
            array = self.schema.personal.mask(array)[0]
        return array, {place: Refusal(why.reason, f"{name!r}: {why.message}") for place, why in found.items()}

    def _taken(self, values: RawColumn, refusals: dict[int, Refusal]) -> RawColumn:
        """Pictures whose bytes are at hand go into the store now; only their SHA-256 goes on."""
        if isinstance(values, pa.Array) or not any(isinstance(value, PictureBytes) for value in values):
            return values
        taken = list(values)
        for position, value in enumerate(values):
            if isinstance(value, PictureBytes) and position not in refusals:
                outcome = self.take_picture(value.content)
                if isinstance(outcome, Refusal):
                    taken[position] = None
                    refusals[position] = outcome
                else:
                    taken[position] = StoredPicture(outcome, len(value.content))
        return taken

    def _missing(self, raw: "_Raw", typed: Mapping[str, pa.Array]) -> Mapping[int, Refusal]:
        found: dict[int, Refusal] = {}
        for name in self.schema.columns():
            if name in self.schema.required:
                column = typed[name] if name in typed else typed_column("text", raw.column(name)).array
                empty = np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False)).tolist()
                _add(found, {place: self._empty(name, raw.value(name, place)) for place in empty})
        if self.schema.text:
            blank = np.ones(raw.count, dtype=bool)
            for name in self.schema.text:
                blank &= typed[name].is_null().to_numpy(zero_copy_only=False)
            told = f"all text columns are empty: {', '.join(self.schema.text)}."
            _add(found, dict.fromkeys(np.flatnonzero(blank).tolist(), Refusal("empty_text", told)))
        return found

    def _empty(self, name: str, value: object) -> Refusal:
        if self.schema.kinds.get(name) == "number" and value is not None and str(value).strip():
            return Refusal("wrong_type", f"{name!r}: NaN is not a number.")
        return Refusal("missing_value", f"{name!r} is empty; the scenario needs a value in it.")

    def _keys(self, raw: "_Raw", typed: Mapping[str, pa.Array]) -> pa.Array:
        """The declared keys; null for all rows where none is declared."""
        if not self.key_column:
            return pa.nulls(raw.count, pa.string())
        keys = typed.get(self.key_column)
        if keys is None:
            keys = typed_column("category", raw.column(self.key_column)).array
        return pc.binary_join_element_wise(self.key_prefix, keys, "") if self.key_prefix else keys

    def _divided(self, raw: "_Raw", table: pa.Table, keys: pa.Array, refusals: Mapping[int, Refusal]) -> Checked:
        keep = np.ones(raw.count, dtype=bool)
        keep[list(refusals)] = False
        if len(refusals):
            table, keys = table.filter(pa.array(keep)), keys.filter(pa.array(keep))
        described = content_hashes(table, self.schema.content)
        content = [name for name in self.schema.content if name != self.schema.image]
        with_picture = len(content) < len(self.schema.content)
        internal = {
            "_key": keys,
            "_hash": content_hashes(table, content) if with_picture else described,
            CONTENT: described,
            "_identity": pa.array(identities(keys) if self.key_column else hash_identities(described), pa.uint64()),
            "_source": raw.sources.filter(pa.array(keep)),
            "_row": pa.array(raw.numbers[keep], pa.int64()),
            "_stored": raw.sizes(self.schema.image).filter(pa.array(keep)),
        }
        if not with_picture:
            del internal[CONTENT]
        kept = pa.table({**{name: table[name] for name in table.column_names}, **internal})
        return Checked(kept, self._refused(raw, refusals), raw.found)

    def _refused(self, raw: "_Raw", refusals: Mapping[int, Refusal]) -> pa.Table:
        if not refusals:
            return REFUSED_SCHEMA.empty_table()
        places = sorted(refusals)
        contents = [raw.original(place) for place in places]
        columns = {
            "table": [self.table] * len(places),
            "source": raw.sources.take(pa.array(places)).cast(pa.string()),
            "row": raw.numbers[places],
            "key": [_plain_key(raw.value(self.key_column, place)) for place in places],
            "reason": [refusals[place].reason for place in places],
            "message": [_encodable(refusals[place].message) for place in places],
            "content": contents,
            "_identity": identities(pa.array(contents, pa.string())),
        }
        return pa.table(columns, schema=REFUSED_SCHEMA)

    def _nothing(self, chunk: Chunk) -> pa.Table:
        return self._rows(_Raw.of(chunk.source, [])).kept


@dataclass(frozen=True)
class _Raw:
    """Rows before their types, however they were read."""

    columns: Mapping[str, RawColumn]
    numbers: np.ndarray
    refusals: Mapping[int, Refusal]
    found: frozenset[str]
    sources: pa.DictionaryArray
    original: Callable[[int], str]

    @classmethod
    def of(cls, source: str, segment: Segment) -> "_Raw":
        if isinstance(segment, list):
            return cls._of_rows(segment)
        columns = {name: _one_array(segment.table[name]) for name in segment.table.column_names}
        sources = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(segment.numbers), np.int32)), [source])
        return cls(columns, segment.numbers, {}, segment.found, sources, segment.original)

    @classmethod
    def _of_rows(cls, rows: list[RawRow]) -> "_Raw":
        found = dict.fromkeys(name for row in rows for name in row.values)
        return cls(
            columns={name: [row.values.get(name) for row in rows] for name in found},
            numbers=np.array([row.number for row in rows], dtype=np.int64),
            refusals={place: row.refusal for place, row in enumerate(rows) if row.refusal is not None},
            found=frozenset(found),
            sources=pa.array([row.source for row in rows], pa.string()).dictionary_encode(),
            original=lambda place: original_text(rows[place]),
        )

    @property
    def count(self) -> int:
        return len(self.numbers)

    def column(self, name: str) -> RawColumn:
        return self.columns[name] if name in self.columns else [None] * self.count

    def value(self, name: str | None, place: int) -> object:
        if name is None or name not in self.columns:
            return None
        value = self.columns[name][place]
        return python_value(value) if isinstance(value, pa.Scalar) else value

    def sizes(self, image: str | None) -> pa.Array:
        """How many bytes the pictures have that lie in the source itself; null elsewhere."""
        column = self.column(image) if image else None
        if column is None or isinstance(column, pa.Array):
            return pa.nulls(self.count, pa.int64())
        return pa.array([_size(value) for value in column], pa.int64())


def _size(picture: object) -> int | None:
    if isinstance(picture, PictureBytes):
        return len(picture.content)
    return picture.size if isinstance(picture, StoredPicture) else None


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined


def _add(refusals: dict[int, Refusal], more: Mapping[int, Refusal]) -> None:
    """A row's first refusal counts."""
    for place, refusal in more.items():
        refusals.setdefault(place, refusal)


def _plain_key(value: object) -> str:
    return "" if value is None else _encodable(str(value))


def _encodable(text: str) -> str:
    return text.encode("utf-8", errors="replace").decode()
