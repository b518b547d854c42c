"""How fast a release answers of late."""

import pytest

from releases.serving.pace import BATCH_SECONDS, Pace


def test_before_anything_was_answered_nothing_is_expected():
    pace = Pace(most_rows=64)
    assert (pace.seconds("predict", 10), pace.most_rows, pace.rows_per_second) == (0.0, 64, 0.0)


def test_the_size_of_a_batch_follows_the_pace():
    pace = Pace(most_rows=64)
    pace.note("predict", rows=10, seconds=0.1)
    assert pace.seconds("predict", 5) == pytest.approx(0.05)
    assert pace.most_rows == round(BATCH_SECONDS / 0.01)
    assert pace.rows_per_second == pytest.approx(100)
    for _ in range(50):
        pace.note("predict", rows=1, seconds=1.0)
    assert pace.most_rows == 1
    for _ in range(50):
        pace.note("predict", rows=64, seconds=0.001)
    assert pace.most_rows == 64


def test_several_threads_share_what_waits():
    assert Pace(most_rows=1, workers=2).wait(3.0) == 1.5


def test_another_release_begins_anew():
    pace = Pace(most_rows=64)
    pace.note("predict", rows=10, seconds=0.1, release="a")
    pace.note("predict", rows=10, seconds=9.0, release="b")
    assert pace.seconds("predict", 1) == 0.9
