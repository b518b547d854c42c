"""What came before each event, by hand."""

import numpy as np

from training.histories import Events, histories, leave_last_out, newest_items, taken

#            user 0 takes 5, 6, 7; user 1 takes 8, 5; user 2 takes 9.
EVENTS = Events.sorted_by_time(
    np.array([1, 0, 0, 2, 1, 0]), np.array([5, 7, 5, 9, 8, 6]), np.array([40.0, 60.0, 10.0, 20.0, 30.0, 50.0])
)


def test_events_are_sorted_by_time():
    assert EVENTS.items.tolist() == [5, 9, 8, 5, 6, 7]
    assert EVENTS.users.tolist() == [0, 2, 1, 1, 0, 0]


def test_what_came_before_is_the_users_own_newest_first():
    assert histories(EVENTS, longest=3).tolist() == [
        [-1, -1, -1],
        [-1, -1, -1],
        [-1, -1, -1],
        [8, -1, -1],
        [5, -1, -1],
        [6, 5, -1],
    ]


def test_only_the_newest_are_kept():
    assert histories(EVENTS, longest=1)[-1].tolist() == [6]
    assert histories(EVENTS, longest=20).shape == (6, 20)


def test_the_newest_items_of_each_user():
    assert newest_items(EVENTS, users=4, longest=2).tolist() == [[7, 6], [5, 8], [9, -1], [-1, -1]]


def test_the_last_is_left_out_but_not_an_only_one():
    kept, last = leave_last_out(EVENTS)
    assert sorted(zip(last.users.tolist(), last.items.tolist(), strict=True)) == [(0, 7), (1, 5)]
    assert len(kept) == 4
    assert 9 in kept.items


def test_who_took_what():
    mask = taken(EVENTS, users=3, items=10)
    assert np.argwhere(mask).tolist() == [[0, 5], [0, 6], [0, 7], [1, 5], [1, 8], [2, 9]]


def test_without_events():
    none = EVENTS.rows(np.zeros(6, bool))
    assert histories(none, longest=3).shape == (0, 3)
    assert newest_items(none, users=2, longest=3).tolist() == [[-1] * 3] * 2
