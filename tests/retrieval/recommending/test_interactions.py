"""Events from a table, their matrix, and what is held out."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from polyloom.errors import DataError
from retrieval.recommending.interactions import last_item_out, last_out, random_cut, read_interactions, user_cut

TABLE = pa.table(
    {
        "who": ["b", "a", "b", "a", "c", "b"],
        "what": ["鞋", "x", "x", "鞋", "y", "鞋"],
        "much": [1.0, 2.0, 5.0, 1.0, 1.0, 3.0],
        "at": [86_400 * day for day in (0, 1, 2, 3, 4, 4)],
    }
)


def read(**changes):
    return read_interactions(TABLE, **{"user": "who", "item": "what", "weight": "much", "time": "at", **changes})


def test_a_table_becomes_numbers_and_a_matrix_that_adds_up_events():
    events = read()
    assert (events.users, events.items) == (["a", "b", "c"], ["x", "y", "鞋"])
    assert events.matrix().toarray().tolist() == [[2, 0, 1], [5, 0, 4], [0, 1, 0]]
    assert events.item_number["鞋"] == 2


def test_old_events_count_less():
    # The latest of a is on day 3, of b on day 4: half a day's half-life leaves 2/4, and 1/16, 5/4.
    found = read().matrix(half_life_days=2.0).toarray()
    assert np.allclose(found, [[1.0, 0, 1.0], [2.5, 0, 0.25 + 3.0], [0, 1.0, 0]])


def test_without_weights_and_times_all_are_alike():
    events = read(weight=None, time=None)
    assert events.matrix().toarray().max() == 2
    assert not events.times.any()


def test_times_may_be_timestamps_and_dates():
    for value in (dt.datetime(1970, 1, 2, tzinfo=dt.UTC), dt.date(1970, 1, 2)):
        table = pa.table({"u": ["a"], "i": ["b"], "t": [value]})
        assert read_interactions(table, user="u", item="i", time="t").times.tolist() == [86_400.0]


def test_a_random_cut_keeps_every_event_once_and_follows_its_seed():
    events = read()
    cut = random_cut(events, share=0.5, seed=3)
    assert (len(cut.train), len(cut.held_out)) == (3, 3)
    assert (cut.train.matrix() + cut.held_out.matrix() - events.matrix()).nnz == 0
    again = random_cut(events, share=0.5, seed=3)
    assert again.train.item_numbers.tolist() == cut.train.item_numbers.tolist()


def test_a_cut_within_users_leaves_each_something_to_learn_from():
    cut = user_cut(read(), share=0.5, seed=1)
    assert np.bincount(cut.train.user_numbers).tolist() == [1, 2, 1]
    assert len(cut.held_out) == 2


def test_the_latest_event_is_held_out_and_a_single_one_is_not():
    cut = last_out(read())
    assert cut.held_out.times.tolist() == [3 * 86_400, 4 * 86_400]
    assert cut.held_out.user_numbers.tolist() == [0, 1]
    assert 2 in cut.train.user_numbers


def test_no_events():
    events = read_interactions(TABLE.slice(0, 0), user="who", item="what", weight="much", time="at")
    assert events.matrix().shape == (0, 0)
    assert len(last_out(events).held_out) == len(random_cut(events, share=0.5, seed=1).train) == 0


def test_what_cannot_be_read_is_named():
    with pytest.raises(DataError, match=r"no column 'whom'.*Did you mean 'who'"):
        read(user="whom")
    with pytest.raises(DataError, match="'i' has 1 empty cells"):
        read_interactions(pa.table({"u": ["a"], "i": pa.array([None], pa.string())}), user="u", item="i")
    wrong = pa.table({"u": ["a", "a"], "i": ["b", "c"], "w": [1.0, 0.0]})
    with pytest.raises(DataError, match="'w' must hold numbers above 0; row 1 has 0"):
        read_interactions(wrong, user="u", item="i", weight="w")


def test_all_of_the_latest_item_is_held_out():
    table = pa.table({"u": ["a"] * 4 + ["b", "b"], "i": ["x", "y", "x", "z", "x", "x"], "t": [1, 2, 3, 0, 1, 2]})
    cut = last_item_out(read_interactions(table, user="u", item="i", time="t"))
    assert [cut.held_out.items[item] for item in cut.held_out.item_numbers] == ["x", "x"]
    assert set(cut.held_out.user_numbers.tolist()) == {0}
    assert len(cut.train) == 4
    assert len(last_item_out(cut.train.rows(np.zeros(0, np.int64))).held_out) == 0
