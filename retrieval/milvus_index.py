"""An opened index in Milvus: it answers as `retrieval.snapshot` does, but as the collection is at that moment."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa

from polyloom.errors import DataError
from retrieval.milvus_collection import MilvusCollection
from retrieval.milvus_field import MilvusField
from retrieval.milvus_schema import ID, LONGEST, MESSAGE, MOST_HITS, ROW, TEXT
from retrieval.vectors import missing_item


class MilvusIndex:
    """The items of a collection; to be closed, or used in a `with` statement.

    `ids` are read when they are first asked for, in their own order; masks speak of these. All else is read anew each
    time. There is no search by words here: `keywords` is None.
    """

    keywords = None

    def __init__(self, collection: MilvusCollection) -> None:
        self._collection = collection
        self._fields = {
            name: MilvusField(collection, name=name, field=field, ids=lambda: self.ids)
            for name, field in collection.fields.items()
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._collection.connection.close()

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields."""
        return tuple(self._fields)

    @cached_property
    def ids(self) -> Sequence[str]:
        """The items that were there when this was first asked."""
        return sorted(row[ID] for row in self._collection.listed([ID], lot=MOST_HITS // 2))

    def field(self, name: str) -> MilvusField:
        """Search by the vectors of one field."""
        return self._fields[name]

    def marked(self, condition: Callable[[pa.Table], np.ndarray]) -> np.ndarray:
        """Which items' columns meet a condition, bool [ids]; every row is read for it once."""
        if not self._table.num_columns:
            return np.zeros(len(self.ids), dtype=bool)
        return np.asarray(condition(self._table))

    def rows(self, ids: Sequence[str], columns: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
        """The columns of items, all or some, by id, times as ISO text; those that are not there are left out."""
        found = {row[ID]: row[ROW] for row in self._collection.found(ids, [ID, ROW])}
        return {
            id_: cells if columns is None else {name: cells[name] for name in columns} for id_, cells in found.items()
        }

    def held(self, ids: Sequence[str]) -> set[str]:
        """Which of these items there are."""
        return set(self.rows(ids))

    def row(self, id: str) -> dict[str, Any]:  # noqa: A002
        """All columns of an item. Raises: RequestError when there is no such item."""
        found = self.rows([id])
        if id not in found:
            raise missing_item(id, count=len(self.ids), example=next(iter(self.ids), None))
        return found[id]

    def texts(self, ids: Sequence[str]) -> dict[str, str]:
        """The texts of those of the items that are there, by id."""
        return {row[ID]: row[TEXT] for row in self._collection.found(ids, [ID, TEXT])}

    @cached_property
    def _table(self) -> pa.Table:
        """The rows of `ids`, with nothing in those that are gone."""
        held = {row[ID]: row[ROW] for row in self._collection.listed([ID, ROW], lot=MESSAGE // LONGEST)}
        rows = [held.get(id_, {}) for id_ in self.ids]
        names = {name: None for row in rows for name in row}
        try:
            return pa.table({name: [row.get(name) for row in rows] for name in names})
        except pa.ArrowInvalid as error:
            raise DataError(f"The rows of the collection {self._collection.name!r} do not agree: {error}") from error
