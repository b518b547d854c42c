"""Columns for a ranker from what a shop knows of its items: age, popularity, the place of a price, category."""

import numpy as np

from polyloom.errors import DataError, RequestError

DAY_SECONDS = 86_400.0


def freshness_days(published: np.ndarray, *, now: float) -> np.ndarray:
    """How old items are in days [items], from times in seconds since 1970; NaN where unknown, 0 for the future's."""
    return np.asarray(np.maximum(now - np.asarray(published, dtype=np.float64), 0.0) / DAY_SECONDS)


def popularity(
    items: np.ndarray,
    at: np.ndarray,
    *,
    count: int,
    now: float,
    window_days: float,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """How often each of `count` items was met within the window before `now` [count], by `weights` [events] if given.

    `items` [events] are places from 0 to count - 1, `at` [events] seconds since 1970. An event at `now` or later does
    not count: a row may know only what was known when it was shown.

    Raises: DataError for events that do not fit together or items that there are not, RequestError for an empty window.
    """
    if not window_days > 0:
        raise RequestError(f"The window is {window_days} days; it must be above 0. 30 is usual.")
    worth = np.ones(len(items)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(items) == len(at) == len(worth):
        raise DataError(f"There are {len(items)} items, {len(at)} times and {len(worth)} weights of events; one each.")
    if len(items) and not 0 <= items.min() <= items.max() < count:
        raise DataError(f"The events' items go from {items.min()} to {items.max()}; they must lie in 0 to {count - 1}.")
    recent = (at < now) & (at >= now - window_days * DAY_SECONDS)
    return np.bincount(np.asarray(items)[recent], weights=worth[recent], minlength=count)


def price_position(prices: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """Where each price stands among those of its category [items]: 0 cheapest, 1 dearest, 0.5 for one alone.

    Equal prices share their middle place; NaN where the price is unknown.
    """
    values = np.asarray(prices, dtype=np.float64)
    found = np.full(len(values), np.nan)
    for category in np.unique(categories):
        rows = np.flatnonzero((categories == category) & ~np.isnan(values))
        own = np.sort(values[rows])
        middle = (np.searchsorted(own, values[rows], "left") + np.searchsorted(own, values[rows], "right") - 1) / 2
        found[rows] = middle / (len(rows) - 1) if len(rows) > 1 else 0.5
    return found


def category_match(categories: np.ndarray, wanted: str | None) -> np.ndarray:
    """1 for items of the category that is wanted, 0 for others [items]; NaN everywhere when none is."""
    if wanted is None:
        return np.full(len(categories), np.nan)
    return np.asarray(categories == wanted, dtype=np.float64)
