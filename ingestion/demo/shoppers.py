"""What made-up shoppers looked at, put into the cart and bought.

Each shopper has a hidden taste: two categories, two colours and a price level. A few products are
popular with everyone.
"""

import dataclasses
import datetime as dt
from collections.abc import Sequence
from typing import Self

import numpy as np
import pyarrow as pa

from ingestion.demo.catalogue import Product

SHOPPERS = 400
VIEWS_PER_SHOPPER = 44
DAYS = 90
FIRST_DAY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
CART_SHARE, BUY_SHARE = 0.3, 0.45
CATEGORY_PULL, COLOUR_PULL, PRICE_PULL = 2.6, 1.3, 0.8
SECOND = 1_000_000
DAY = 24 * 3600


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shelf:
    """The products as a shopper sees them, one array entry each. `levels`: log price against the category's mean."""

    items: list[str]
    kinds: np.ndarray
    colours: np.ndarray
    levels: np.ndarray
    popularity: np.ndarray

    @classmethod
    def of(cls, products: Sequence[Product], *, rng: np.random.Generator) -> Self:
        """The products with a long-tailed popularity that has nothing to do with what they are."""
        kinds = np.array([product.category for product in products])
        prices = np.log([product.price for product in products])
        means = {kind: prices[kinds == kind].mean() for kind in np.unique(kinds)}
        return cls(
            items=[product.item_id for product in products],
            kinds=kinds,
            colours=np.array([product.colour for product in products]),
            levels=prices - np.array([means[kind] for kind in kinds]),
            popularity=(rng.permutation(len(products)) + 9.0) ** -0.55,
        )


def events(products: Sequence[Product], *, seed: int) -> pa.Table:
    """`event_id`, `user_id`, `item_id`, `event` and `at`, in the order of time."""
    rng = np.random.default_rng([seed, 2])
    shelf = Shelf.of(products, rng=rng)
    rows = [row for number in range(SHOPPERS) for row in visits(shelf, shopper=f"u{number + 1:03d}", rng=rng)]
    rows.sort()
    seconds, users, items, kinds = zip(*rows, strict=True)
    start = round(FIRST_DAY.timestamp())
    return pa.table(
        {
            "event_id": [f"e{number:06d}" for number in range(1, len(rows) + 1)],
            "user_id": pa.array(users),
            "item_id": pa.array(items),
            "event": pa.array(kinds),
            "at": pa.array([(start + second) * SECOND for second in seconds], pa.timestamp("us", tz="UTC")),
        }
    )


def visits(shelf: Shelf, *, shopper: str, rng: np.random.Generator) -> list[tuple[int, str, str, str]]:
    """One shopper's events: seconds since the first day, shopper, product, what was done."""
    wanted = chances(shelf, rng=rng)
    count = int(np.clip(rng.lognormal(np.log(VIEWS_PER_SHOPPER) - 0.125, 0.5), 12, 140))
    chosen = rng.choice(len(shelf.items), size=count, p=wanted)
    rows = []
    for place, second in zip(chosen, view_seconds(count, rng=rng), strict=True):
        item = shelf.items[int(place)]
        rows.append((second, shopper, item, "view"))
        if rng.random() < CART_SHARE:
            rows.append((second + 40, shopper, item, "cart"))
            if rng.random() < BUY_SHARE:
                rows.append((second + 300, shopper, item, "buy"))
    return rows


def chances(shelf: Shelf, *, rng: np.random.Generator) -> np.ndarray:
    """How likely one shopper, whose taste is drawn here, is to look at each product; sums to one."""
    liked_kinds = rng.choice(np.unique(shelf.kinds), size=2, replace=False)
    liked_colours = rng.choice(np.unique(shelf.colours), size=2, replace=False)
    off_level = np.abs(shelf.levels - rng.normal(0, 0.4))
    pull = CATEGORY_PULL * np.isin(shelf.kinds, liked_kinds) + COLOUR_PULL * np.isin(shelf.colours, liked_colours)
    weights = shelf.popularity * np.exp(pull - PRICE_PULL * off_level)
    return np.asarray(weights / weights.sum())


def view_seconds(count: int, *, rng: np.random.Generator) -> list[int]:
    """When the views happened: on a few days, mostly in the evening, a minute or so apart."""
    days = rng.integers(0, DAYS, size=max(1, count // 6))
    evening = np.clip(rng.normal(19.0, 2.5, size=len(days)), 6, 22.5) * 3600
    sitting = rng.integers(0, len(days), size=count)
    within = rng.integers(0, 3000, size=count)
    return sorted(int(second) for second in days[sitting] * DAY + evening[sitting] + within)
