"""Columns for a ranker, by hand."""

import numpy as np
import pytest

from polyloom.errors import DataError, RequestError
from retrieval.recommending.features import category_match, freshness_days, popularity, price_position

DAY = 86_400.0


def test_freshness_is_in_days():
    found = freshness_days(np.array([8 * DAY, 10 * DAY, 12 * DAY, np.nan]), now=10 * DAY)
    assert np.array_equal(found, [2.0, 0.0, 0.0, np.nan], equal_nan=True)


def test_popularity_counts_the_window_before_now_and_nothing_later():
    items, at = np.array([0, 0, 1, 2, 2]), np.array([1.0, 9.0, 9.5, 10.0, 11.0]) * DAY
    assert popularity(items, at, count=4, now=10 * DAY, window_days=2).tolist() == [1, 1, 0, 0]
    weighted = popularity(items, at, count=4, now=10 * DAY, window_days=9, weights=np.array([1, 5, 2, 9, 9]))
    assert weighted.tolist() == [6, 2, 0, 0]
    assert popularity(np.zeros(0, dtype=int), np.zeros(0), count=2, now=0.0, window_days=1).tolist() == [0, 0]


def test_a_prices_position_is_within_its_category():
    prices = np.array([10.0, 20.0, 20.0, 40.0, 7.0, np.nan])
    categories = np.array(["bed", "bed", "bed", "bed", "lamp", "bed"])
    assert np.allclose(price_position(prices, categories), [0, 0.5, 0.5, 1, 0.5, np.nan], equal_nan=True)


def test_a_category_matches_or_nothing_is_known():
    assert category_match(np.array(["bed", "lamp"]), "lamp").tolist() == [0.0, 1.0]
    assert np.isnan(category_match(np.array(["bed"]), None)).all()


def test_events_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="1 items, 2 times and 1 weights"):
        popularity(np.array([0]), np.zeros(2), count=1, now=1.0, window_days=1)
    with pytest.raises(DataError, match="items go from 0 to 3; they must lie in 0 to 2"):
        popularity(np.array([0, 3]), np.zeros(2), count=3, now=1.0, window_days=1)
    with pytest.raises(RequestError, match="window is 0 days"):
        popularity(np.array([0]), np.zeros(1), count=1, now=1.0, window_days=0)
