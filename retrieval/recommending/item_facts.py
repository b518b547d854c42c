"""What is known of items besides who took them, number by number: prices, times of publication, categories."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retrieval.recommending.features import price_position
from retrieval.recommending.interactions import seconds_of

UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class ItemFacts:
    """Arrays [items], None for what there is no column of; NaN is an unknown number, -1 an unknown category.

    `price` is in the shop's own unit, `published` in seconds since 1970, `category` a number for each name.
    """

    price: np.ndarray | None = None
    published: np.ndarray | None = None
    category: np.ndarray | None = None

    @cached_property
    def position(self) -> np.ndarray | None:
        """Where each price stands among those of its category, 0 cheapest, 1 dearest."""
        if self.price is None:
            return None
        kinds = self.category if self.category is not None else np.zeros(len(self.price), np.int64)
        return price_position(self.price, kinds)

    @cached_property
    def level(self) -> np.ndarray | None:
        """Natural logarithms of the prices; NaN for a price that is not above 0."""
        if self.price is None:
            return None
        return np.log(np.where(self.price > 0, self.price, np.nan))


def read_facts(
    table: pa.Table, places: np.ndarray, *, price: str | None, published: str | None, category: str | None
) -> ItemFacts:
    """Of items that stand in rows `places` [items] of a table, -1 for one that is not there."""

    def placed(name: str | None) -> np.ndarray | None:
        if name is None:
            return None
        if name not in table.column_names:
            return np.full(len(places), np.nan)
        return np.asarray(np.append(numbers_of(table[name]), np.nan)[places])

    codes = placed_codes(table, category, places) if category is not None else None
    return ItemFacts(price=placed(price), published=placed(published), category=codes)


def numbers_of(column: pa.ChunkedArray) -> np.ndarray:
    """Numbers, or times as seconds since 1970, float64; NaN for an empty cell and what is not finite."""
    found = seconds_of(column)
    return np.where(np.isfinite(found), found, np.nan)


def placed_codes(table: pa.Table, name: str, places: np.ndarray) -> np.ndarray:
    """A number for each value in rows `places` [items], -1 for an empty cell and for what is not there."""
    if name not in table.column_names:
        return np.full(len(places), UNKNOWN, np.int64)
    values = pc.cast(table[name], pa.string()).combine_chunks().dictionary_encode()
    codes = pc.fill_null(values.indices.cast(pa.int64()), UNKNOWN)
    return np.asarray(np.append(codes.to_numpy(zero_copy_only=False), UNKNOWN)[places])


def places_of(ids: Sequence[str], among: Sequence[str]) -> np.ndarray:
    """Where each id stands among others, int64, -1 for one that does not."""
    numbers = {id_: place for place, id_ in enumerate(among)}
    return np.array([numbers.get(id_, -1) for id_ in ids], dtype=np.int64)
