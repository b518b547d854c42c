"""What a learned order goes by: columns by hand, what is unknown, and what is saved."""

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from polyloom.errors import IntegrityError
from retrieval.recommending.item_facts import places_of, read_facts
from retrieval.recommending.ranker import Ranker
from retrieval.recommending.ranking import Columns, Ranking, open_ranking

TABLE = pa.table(
    {
        "price": pa.array([10.0, 20.0, None, 40.0]),
        "kind": ["lamp", "lamp", "rug", None],
        "added": pa.array([0, 86_400_000_000, None, 0], pa.timestamp("us", tz="UTC")),
    }
)
ASKED = {"price": "price", "published": "added", "category": "kind"}
HISTORY = sp.csr_matrix(np.array([[3.0, 0, 1, 0, 0]], np.float32))
PARTS = np.array([[1.0, 2, 3, 4, 5], [0, 0, 0, 0, 0], [0.5, 0, -1, 0, 0]])


def facts():
    return read_facts(TABLE, places_of(["d", "b", "c", "a", "gone"], ["a", "b", "c", "d"]), **ASKED)


def test_facts_stand_by_the_number_of_the_item_and_what_is_unknown_is_said():
    found = facts()
    assert np.array_equal(found.price, [40, 20, np.nan, 10, np.nan], equal_nan=True)
    assert np.array_equal(found.published, [0, 86_400, np.nan, 0, np.nan], equal_nan=True)
    assert found.category.tolist() == [-1, 0, 1, 0, -1]
    assert np.array_equal(found.position, [0.5, 1, np.nan, 0, np.nan], equal_nan=True)


def test_a_column_that_is_gone_is_unknown_and_one_that_is_not_asked_for_is_none():
    places = np.array([0, -1])
    gone = read_facts(TABLE.select(["kind"]), places, price="price", published="added", category="size")
    assert np.isnan(gone.price).all()
    assert np.isnan(gone.published).all()
    assert gone.category.tolist() == [-1, -1]
    none = read_facts(TABLE, places, price=None, published=None, category=None)
    assert (none.price, none.published, none.category, none.position, none.level) == (None,) * 5


def test_rows_by_hand():
    columns = Columns([0, 2], ["ease", "content"], facts(), np.array([7.0, 6, 5, 4, 3]))
    assert columns.names == (
        "ease",
        "content",
        "blend",
        "recent_popularity",
        "price_position",
        "price_distance",
        "age_days",
        "category_share",
    )
    rows = columns.rows(HISTORY, PARTS, np.array([1, 3, 4]), now=3 * 86_400.0)
    expected = [
        [2, 0, 2, 6, 1, np.log(2), 2, 0],
        [4, 0, 4, 4, 0, np.log(4), 3, 0],
        [5, 0, 5, 3, np.nan, np.nan, np.nan, np.nan],
    ]
    assert np.allclose(rows, expected, equal_nan=True)


def test_a_history_of_nothing_known_says_nothing():
    columns = Columns([0], ["ease"], facts(), np.zeros(5))
    history = sp.csr_matrix(np.array([[0, 0, 0, 0, 1.0]], np.float32))
    rows = columns.rows(history, PARTS, np.array([1]), now=0.0)
    assert np.isnan(rows[0, [columns.names.index(name) for name in ("price_distance", "category_share")]]).all()


def ranking():
    random = np.random.default_rng(1)
    names = Columns([0, 2], ["ease", "content"], facts(), np.zeros(5)).names
    rows = random.normal(size=(1200, len(names)))
    ranker = Ranker.fit(rows, (rows[:, 0] > 1).astype(int), np.repeat(np.arange(100), 12), names=names, seed=2)
    return Ranking(ranker, [0, 2], np.arange(5, dtype=np.float32), latest=86_400.0, candidates=12)


def test_a_round_trip_through_disk_changes_nothing(tmp_path):
    ranking().save(tmp_path / "r")
    rows = np.random.default_rng(3).normal(size=(6, 8))
    one, again = ranking().over(facts()), open_ranking(tmp_path / "r").over(facts())
    assert np.array_equal(one.scores(rows), again.scores(rows))
    assert one.why(rows) == again.why(rows)
    assert again.candidates == 12
    given = again.rows(HISTORY, PARTS, np.array([1]), latest=0.0)
    assert np.allclose(given[0, 3:7], [1, 1, np.log(2), 0])


def test_the_moment_is_that_of_the_latest_event():
    order = ranking().over(facts())
    ages = [order.rows(HISTORY, PARTS, np.array([3]), latest=latest)[0, 6] for latest in (0.0, 5 * 86_400.0)]
    assert ages == [1.0, 5.0]


def test_a_folder_that_holds_no_ranking_is_told(tmp_path):
    with pytest.raises(IntegrityError, match="holds no whole ranking"):
        open_ranking(tmp_path)
