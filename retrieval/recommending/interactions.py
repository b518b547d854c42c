"""Who took what, how much and when, with numbers for users and items; and how to hold some of it out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from polyloom.errors import DataError, suggestion

SECONDS_A_DAY = 86_400.0


@dataclass(frozen=True, eq=False)
class Interactions:
    """One row an event: numbers of its user and item, its weight above 0, its time in seconds since 1970."""

    users: Sequence[str]
    items: Sequence[str]
    user_numbers: np.ndarray
    item_numbers: np.ndarray
    weights: np.ndarray
    times: np.ndarray

    def __len__(self) -> int:
        return len(self.user_numbers)

    @cached_property
    def item_number(self) -> Mapping[str, int]:
        """The number of each item id."""
        return {id_: number for number, id_ in enumerate(self.items)}

    def matrix(self, *, half_life_days: float | None = None) -> sp.csr_matrix:
        """Histories [users, items], float32; the weights of a pair's events are added up.

        With `half_life_days` an event counts half for each such span before its user's latest one.
        """
        weights = self.weights
        if half_life_days is not None:
            latest = np.full(len(self.users), -np.inf)
            np.maximum.at(latest, self.user_numbers, self.times)
            weights = decayed(weights, latest[self.user_numbers] - self.times, half_life_days=half_life_days)
        shape = (len(self.users), len(self.items))
        return sp.csr_matrix((weights.astype(np.float32), (self.user_numbers, self.item_numbers)), shape=shape)

    def within(self, items: Sequence[str]) -> "Interactions":
        """The events whose item is one of these, with the numbers that they have there."""
        numbers = {id_: number for number, id_ in enumerate(items)}
        places = np.array([numbers.get(id_, -1) for id_ in self.items], dtype=np.int64)
        own = places[self.item_numbers] if len(self) else np.zeros(0, np.int64)
        return replace(self.rows(own >= 0), items=list(items), item_numbers=own[own >= 0])

    def rows(self, chosen: np.ndarray) -> "Interactions":
        """Some of the events, by place or as a mask; numbers stay."""
        return replace(
            self,
            user_numbers=self.user_numbers[chosen],
            item_numbers=self.item_numbers[chosen],
            weights=self.weights[chosen],
            times=self.times[chosen],
        )


class Cut(NamedTuple):
    """Events to learn from, and those held out."""

    train: Interactions
    held_out: Interactions


def read_interactions(
    table: pa.Table, *, user: str, item: str, time: str | None = None, weight: str | None = None
) -> Interactions:
    """From the named columns; without a time all events are of time 0, without a weight all weigh 1.

    Raises: DataError for a column that there is not, an empty cell, or a weight that is not above 0.
    """
    for name in (user, item, time, weight):
        if name is not None and name not in table.column_names:
            raise DataError(
                f"The interactions have no column {name!r}; there are {table.column_names}."
                f"{suggestion(name, table.column_names)}"
            )
        if name is not None and table[name].null_count:
            raise DataError(f"The column {name!r} has {table[name].null_count} empty cells. Leave these rows out.")
    users, user_numbers = np.unique(np.array(_words(table[user]), dtype=object), return_inverse=True)
    items, item_numbers = np.unique(np.array(_words(table[item]), dtype=object), return_inverse=True)
    weights = np.ones(len(table)) if weight is None else np.asarray(table[weight], np.float64)
    wrong = ~(np.isfinite(weights) & (weights > 0))
    if wrong.any():
        raise DataError(
            f"The column {weight!r} must hold numbers above 0; row {int(wrong.argmax())} has "
            f"{weights[wrong.argmax()]:g}. Leave out what says that a user did not take an item."
        )
    times = np.zeros(len(table)) if time is None else seconds_of(table[time])
    return Interactions(list(users), list(items), user_numbers, item_numbers, weights, times)


def random_cut(interactions: Interactions, *, share: float, seed: int) -> Cut:
    """A random `share` of the events to learn from, as `python_random_split` of Microsoft's recommenders does."""
    order = np.random.default_rng(seed).permutation(len(interactions))
    count = round(share * len(interactions))
    return Cut(interactions.rows(np.sort(order[:count])), interactions.rows(np.sort(order[count:])))


def user_cut(interactions: Interactions, *, share: float, seed: int) -> Cut:
    """A random `share` of each user's events to learn from, rounded up: a user with one event is learned from."""
    drawn = np.random.default_rng(seed).random(len(interactions))
    places = _places_within(interactions.user_numbers, order=drawn)
    counts = np.bincount(interactions.user_numbers, minlength=len(interactions.users))
    train = places < np.ceil(share * counts)[interactions.user_numbers]
    return Cut(interactions.rows(train), interactions.rows(~train))


def last_out(interactions: Interactions) -> Cut:
    """Each user's latest event held out, of equally late ones the last row; users with one event keep it."""
    places = _places_within(interactions.user_numbers, order=interactions.times)
    counts = np.bincount(interactions.user_numbers, minlength=len(interactions.users))[interactions.user_numbers]
    held_out = (places == counts - 1) & (counts > 1)
    return Cut(interactions.rows(~held_out), interactions.rows(held_out))


def last_item_out(interactions: Interactions) -> Cut:
    """As `last_out`, with all of the user's events of the item that came last: a second event of it is no find.

    Users of one item keep it.
    """
    users, items = interactions.user_numbers, interactions.item_numbers
    places = _places_within(users, order=interactions.times)
    latest = np.full(len(interactions.users), -1, np.int64)
    last = places == np.bincount(users, minlength=len(latest))[users] - 1
    latest[users[last]] = items[last]
    of_it = items == latest[users]
    others = np.bincount(users[~of_it], minlength=len(latest))
    held_out = of_it & (others[users] > 0)
    return Cut(interactions.rows(~held_out), interactions.rows(held_out))


def decayed(weights: np.ndarray, ages_seconds: np.ndarray, *, half_life_days: float) -> np.ndarray:
    """Weights halved for each half-life of age."""
    return np.asarray(weights * 0.5 ** (ages_seconds / SECONDS_A_DAY / half_life_days))


def _places_within(groups: np.ndarray, *, order: np.ndarray) -> np.ndarray:
    """The place of each row within its group, from 0 on, by `order`."""
    sorted_rows = np.lexsort((np.arange(len(groups)), order, groups))
    begins = np.searchsorted(groups[sorted_rows], groups[sorted_rows])
    places = np.empty(len(groups), np.int64)
    places[sorted_rows] = np.arange(len(groups)) - begins
    return places


def _words(column: pa.ChunkedArray) -> list[str]:
    return [str(value) for value in column.to_pylist()]


def seconds_of(column: pa.ChunkedArray) -> np.ndarray:
    """Times as seconds since 1970, of timestamps, dates or numbers; NaN for an empty cell."""
    if pa.types.is_temporal(column.type):
        return np.asarray(pc.cast(pc.cast(column, pa.timestamp("us")), pa.int64()), np.float64) / 1e6
    return np.asarray(column, np.float64)
