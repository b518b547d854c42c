"""An index that goes on in Milvus: a record on disk says in which collection, and what it is in step with.

The record moves after the items: who is killed in between repeats a change, and none is lost. Searches see a change at
once, whether the record has moved or not.
"""

import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polyloom.durable import locked, read_json, write_json
from polyloom.errors import DataError, IntegrityError
from retrieval.items import Field, Items, joined
from retrieval.kinds import Kind
from retrieval.milvus import MilvusWriter, create_collection, open_collection
from retrieval.milvus_collection import MilvusCollection
from retrieval.milvus_connection import abandon, connect
from retrieval.milvus_index import MilvusIndex
from retrieval.milvus_schema import ID, MESSAGE, MOST_HITS, ROW, TEXT, column, presence
from retrieval.milvus_table import schema_of, schema_text, typed

RECORD, LOCK = "milvus.json", "milvus.lock"


@dataclass(frozen=True, kw_only=True)
class Placed:
    """What the record says; `schema` is that of the items' columns, as text, and `note` are facts of whoever wrote."""

    uri: str
    name: str
    schema: str
    number: int = 0
    built: int = 0
    note: dict[str, str] = field(default_factory=dict)

    @property
    def collection(self) -> str:
        """The collection, which is another after each rebuilding."""
        return f"{self.name}_{self.built}"


class PlacedIndex(MilvusIndex):
    """The collection of a record, as `retrieval.snapshot` answers; its connection ends when nobody has it any more."""

    def __init__(self, placed: Placed, *, encoders: Mapping[str, str]) -> None:
        collection = open_collection(placed.uri, placed.collection, encoders=encoders)
        super().__init__(collection)
        self.number = placed.number
        self.note = dict(placed.note)
        self.kind = collection.kind
        self._schema = schema_of(placed.schema)
        self._gone = weakref.finalize(self, abandon, collection.connection)
        self._gone.atexit = False

    def close(self) -> None:
        """End the connection."""
        if self._gone.detach():
            super().close()

    @property
    def count(self) -> int:
        """How many items there are."""
        return self._collection.count()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the items' columns."""
        return tuple(self._schema.names)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The items' columns, all or some, one row an item."""
        return self._table if columns is None else self._table.select(list(columns))

    def items(self) -> Items:
        """Everything that is known of all items."""
        return joined(list(lots_of(self._collection, self._schema)))

    def taken(self, ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
        """Some columns of items that are there, in no order."""
        return typed(list(super().rows(ids).values()), self._schema).select(list(columns))

    def rows(self, ids: Sequence[str], columns: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
        """The columns of items, all or some, by id; those that are not there are left out."""
        found = super().rows(ids)
        cells = typed(list(found.values()), self._schema)
        return dict(zip(found, (cells if columns is None else cells.select(list(columns))).to_pylist(), strict=True))

    @cached_property
    def _table(self) -> pa.Table:
        held = {row[ID]: row[ROW] for row in self._collection.listed([ID, ROW], lot=MESSAGE // MOST_HITS)}
        return typed([held.get(id_, {}) for id_ in self.ids], self._schema)


class PlacedWriter:
    """Changes the collection of a record, one writer of this disk at a time."""

    def __init__(self, folder: Path, *, encoders: Mapping[str, str]) -> None:
        self.folder = folder
        self._encoders = encoders

    def upsert(self, items: Items | None, *, removed: Sequence[str] = (), note: Mapping[str, str] | None = None) -> int:
        """Put items in, in the place of those of the same ids, and take others out; gives the new state's number."""
        with locked(self.folder / LOCK):
            placed = read_placed(self.folder)
            if items is not None:
                check_columns(items, schema_of(placed.schema))
            with self._open(placed) as writer:
                if items is not None:
                    writer.upsert(items)
                writer.delete(removed)
            return self._move(placed, note=dict(placed.note if note is None else note))

    def delete(self, ids: Sequence[str]) -> int:
        """Take items out; gives how many of them were there."""
        with locked(self.folder / LOCK):
            placed = read_placed(self.folder)
            with self._open(placed) as writer:
                gone = writer.delete(ids)
            self._move(placed, note=placed.note)
            return gone

    def compact(self) -> int:
        """Let Milvus index what was written lately."""
        with locked(self.folder / LOCK):
            placed = read_placed(self.folder)
            with self._open(placed) as writer:
                writer.compact()
            return self._move(placed, note=placed.note)

    def rebuild(self, kind: Kind | None = None) -> int:
        """Put everything into a new collection, of this kind from now on, and drop the old one."""
        with locked(self.folder / LOCK):
            placed = read_placed(self.folder)
            after = replace(placed, built=placed.built + 1)
            old = open_collection(placed.uri, placed.collection, encoders=self._encoders)
            try:
                made(after, fields=old.fields, kind=kind or old.kind)
                with self._open(after) as writer:
                    for items in lots_of(old, schema_of(placed.schema)):
                        writer.upsert(items)
                number = self._move(after, note=placed.note)
                with old.connection.asked() as client:
                    client.drop_collection(placed.collection)
            finally:
                old.connection.close()
            return number

    def verify(self) -> int:
        """How many items there are. Raises: IntegrityError when Milvus counts others than it lists."""
        with self._open(read_placed(self.folder)) as writer:
            return writer.verify()

    def _open(self, placed: Placed) -> MilvusWriter:
        return MilvusWriter(open_collection(placed.uri, placed.collection, encoders=self._encoders))

    def _move(self, placed: Placed, *, note: Mapping[str, str]) -> int:
        write_json(self.folder / RECORD, asdict(replace(placed, number=placed.number + 1, note=dict(note))))
        return placed.number + 1


def place_in_milvus(
    folder: Path,
    *,
    uri: str,
    name: str,
    items: Items,
    fields: Mapping[str, Field],
    kind: Kind | None,
    note: Mapping[str, str],
) -> None:
    """Put the items of an index into a collection of Milvus at `uri`, and say so in a record in the folder.

    A collection that a killed process left half full is dropped first: without a record it belongs to nobody.
    """
    rows = pa.table({}) if items.rows is None else items.rows
    placed = Placed(uri=uri, name=name, schema=schema_text(rows.schema), note=dict(note))
    encoders = {one: given.encoder_digest for one, given in fields.items()}
    with locked(folder / LOCK):
        if (folder / RECORD).is_file():
            return
        made(placed, fields=fields, kind=kind)
        with MilvusWriter(open_collection(uri, placed.collection, encoders=encoders)) as writer:
            writer.upsert(items)
        write_json(folder / RECORD, asdict(placed))


def read_placed(folder: Path) -> Placed:
    """What the record in a folder says. Raises: IntegrityError when there is none."""
    if not (folder / RECORD).is_file():
        raise IntegrityError(f"{folder / RECORD} is missing: nothing says where in Milvus this index lies.")
    return Placed(**read_json(folder / RECORD))


def made(placed: Placed, *, fields: Mapping[str, Field], kind: Kind | None) -> None:
    """An empty collection for a record, in the place of one that has none."""
    connection = connect(placed.uri)
    try:
        with connection.asked() as client:
            if client.has_collection(placed.collection):
                client.drop_collection(placed.collection)
        create_collection(connection, placed.collection, fields=fields, kind=kind)
    finally:
        connection.close()


def lots_of(collection: MilvusCollection, schema: pa.Schema) -> Iterator[Items]:
    """Everything in a collection, in lots that fit into a message."""
    names = [ID, ROW, TEXT, *(of(name) for name in collection.fields for of in (column, presence))]
    width = sum(given.dim * 4 for given in collection.fields.values()) + 4096
    held: list[dict[str, Any]] = []
    for row in collection.listed(names, lot=max(1, min(MOST_HITS, MESSAGE // width))):
        held.append(row)
        if len(held) == MOST_HITS:
            yield items_of(held, collection.fields, schema)
            held = []
    if held:
        yield items_of(held, collection.fields, schema)


def items_of(rows: Sequence[Mapping[str, Any]], fields: Mapping[str, Field], schema: pa.Schema) -> Items:
    """Rows of a collection as items."""
    return Items(
        ids=[row[ID] for row in rows],
        vectors={name: np.asarray([row[column(name)] for row in rows], dtype=np.float32) for name in fields},
        present={name: np.asarray([row[presence(name)] for row in rows], dtype=bool) for name in fields},
        rows=typed([row[ROW] for row in rows], schema) if schema.names else None,
        texts=[row[TEXT] for row in rows],
    )


def check_columns(items: Items, schema: pa.Schema) -> None:
    """Raises: DataError for items of other columns than those of the index."""
    given = pa.schema([]) if items.rows is None else items.rows.schema
    if not given.equals(schema):
        raise DataError(
            f"The index has the columns {', '.join(f'{one.name} ({one.type})' for one in schema) or 'none'}, the items "
            f"{', '.join(f'{one.name} ({one.type})' for one in given) or 'none'}. Give them alike."
        )
