"""One state of an index, opened: it answers as it was, whatever is written meanwhile."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from retrieval.field_search import FieldSearch
from retrieval.items import Field, Items, joined
from retrieval.keyword_search import KeywordSearch, WordedPart
from retrieval.parts import Ids, Part, split_mask
from retrieval.vectors import missing_item


class Snapshot:
    """The items of all parts, in the order in which they were put in: by vectors, by words, and their columns."""

    def __init__(
        self,
        *,
        number: int,
        fields: Mapping[str, Field],
        keyword: bool,
        note: Mapping[str, str],
        parts: tuple[Part, ...],
    ) -> None:
        self.number = number
        self.note = dict(note)
        self.ids: Sequence[str] = Ids(parts)
        self._parts = parts
        self._fields = {
            name: FieldSearch(field, name=name, parts=parts, ids=self.ids) for name, field in fields.items()
        }
        self._keyword = keyword

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields."""
        return tuple(self._fields)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the items' columns."""
        first = self._parts[0].segment.rows if self._parts else None
        return () if first is None else tuple(first.column_names)

    def field(self, name: str) -> FieldSearch:
        """Search by the vectors of one field."""
        return self._fields[name]

    @cached_property
    def keywords(self) -> KeywordSearch | None:
        """Search by words, where the items were given any."""
        if not self._keyword:
            return None
        worded = [
            WordedPart(index=index, id_at=part.segment.ids.__getitem__, place_of=part.place_of, alive=part.alive)
            for part in self._parts
            if (index := part.segment.keywords) is not None
        ]
        return KeywordSearch(worded, split=lambda allowed: split_mask(self._parts, allowed))

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The items' columns, all or some, one row an item. Without columns a table without rows."""
        tables = []
        for part in self._parts:
            if part.segment.rows is not None:
                own = part.segment.rows if columns is None else part.segment.rows.select(list(columns))
                tables.append(own if part.places is None else own.take(part.places))
        return pa.concat_tables(tables) if tables else pa.table({})

    def items(self) -> Items:
        """Everything that is known of all items, to put it into another index."""
        return joined([part.segment.items(part.alive) for part in self._parts])

    def marked(self, condition: Callable[[pa.Table], np.ndarray]) -> np.ndarray:
        """Which items' columns meet a condition, bool [items]; a table is read where it lies, a part at a time."""
        masks = []
        for part in self._parts:
            if part.segment.rows is not None:
                mask = np.asarray(condition(part.segment.rows))
                masks.append(mask if part.alive is None else mask[part.alive])
        return np.concatenate(masks) if masks else np.zeros(len(self.ids), dtype=bool)

    def rows(self, ids: Sequence[str], columns: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
        """The columns of items, all or some, by id; those that are not there are left out."""
        found: dict[str, dict[str, Any]] = {}
        for names, table in self._taken(ids, columns):
            found |= zip(names, table.to_pylist(), strict=True)
        return found

    def held(self, ids: Sequence[str]) -> set[str]:
        """Which of these items there are."""
        found: set[str] = set()
        for part in self._parts:
            places = part.segment.ids.places(ids)
            known = (places >= 0) & (True if part.alive is None else part.alive[places])
            found.update(ids[row] for row in np.flatnonzero(known).tolist())
        return found

    def taken(self, ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
        """Some columns of items that are there, in no order."""
        tables = [table for _, table in self._taken(ids, columns)]
        return pa.concat_tables(tables) if tables else self.table(columns).slice(0, 0)

    def _taken(self, ids: Sequence[str], columns: Sequence[str] | None) -> Iterator[tuple[list[str], pa.Table]]:
        """For each part those of the items that it has, and their columns."""
        for part in self._parts:
            places = part.segment.ids.places(ids)
            known = np.flatnonzero((places >= 0) & (True if part.alive is None else part.alive[places]))
            if len(known) and part.segment.rows is not None:
                own = part.segment.rows if columns is None else part.segment.rows.select(list(columns))
                yield [ids[row] for row in known.tolist()], own.take(places[known])

    def row(self, id: str) -> dict[str, Any]:  # noqa: A002
        """All columns of an item. Raises: RequestError when there is no such item."""
        found = self.rows([id])
        if id not in found:
            raise missing_item(id, count=len(self.ids), example=next(iter(self.ids), None))
        return found[id]
