"""Every row once an epoch, whatever the sizes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.batches import BUCKET_BATCHES, epoch_batches, mixed_batches, ordered_batches


def joined(batches):
    return np.concatenate(batches).tolist()


def padding(batches, costs):
    return sum(int(costs[rows].max()) * len(rows) - int(costs[rows].sum()) for rows in batches)


@given(
    rows=st.lists(st.integers(0, 400), unique=True, min_size=1, max_size=200),
    batch_size=st.integers(1, 40),
    seed=st.integers(0, 9),
    bucketed=st.booleans(),
)
def test_every_row_is_seen_exactly_once(rows, batch_size, seed, bucketed):
    costs = np.arange(401) % 17 if bucketed else None
    batches = epoch_batches(np.array(rows), batch_size=batch_size, seed=seed, epoch=0, costs=costs)
    assert sorted(joined(batches)) == sorted(rows)
    assert max(len(batch) for batch in batches) <= batch_size + 1
    assert sorted(joined(ordered_batches(np.array(rows), batch_size=batch_size, costs=costs))) == sorted(rows)


@pytest.mark.parametrize("costs", [None, np.arange(100) % 7])
def test_the_same_seed_gives_the_same_batches_and_each_epoch_others(costs):
    def batches(seed, epoch):
        return joined(epoch_batches(np.arange(100), batch_size=8, seed=seed, epoch=epoch, costs=costs))

    assert batches(1, 0) == batches(1, 0)
    assert batches(1, 0) != batches(1, 1)
    assert batches(1, 0) != batches(2, 0)


def test_rows_of_like_length_together_need_less_padding():
    costs = np.random.default_rng(0).integers(4, 128, size=2000)
    plain = epoch_batches(np.arange(2000), batch_size=16, seed=1, epoch=0)
    bucketed = epoch_batches(np.arange(2000), batch_size=16, seed=1, epoch=0, costs=costs)
    assert padding(bucketed, costs) < 0.1 * padding(plain, costs)
    lengths = [costs[rows].mean() for rows in bucketed[:BUCKET_BATCHES]]
    assert lengths != sorted(lengths)


def test_a_last_row_joins_the_batch_before():
    assert [len(batch) for batch in ordered_batches(np.arange(17), batch_size=8)] == [8, 9]
    assert [len(batch) for batch in ordered_batches(np.arange(18), batch_size=8)] == [8, 8, 2]
    assert [len(batch) for batch in ordered_batches(np.arange(1), batch_size=8)] == [1]


def test_scoring_goes_in_order_or_from_short_to_long():
    rows = np.array([5, 3, 1, 0])
    assert joined(ordered_batches(rows, batch_size=2)) == [5, 3, 1, 0]
    assert joined(ordered_batches(rows, batch_size=2, costs=np.array([9, 1, 1, 4, 1, 2]))) == [1, 5, 3, 0]


SETS = [np.arange(0, 100), np.arange(100, 120)]


def mixed(sampling, epoch=0, **changed):
    return mixed_batches(SETS, **{"sampling": sampling, "batch_size": 10, "seed": 3, "epoch": epoch, **changed})


@pytest.mark.parametrize("sampling", ["proportional", "equal", 2.0])
def test_a_batch_is_of_one_set_and_an_epoch_stays_as_long(sampling):
    batches = mixed(sampling)
    assert len(batches) == 12
    assert all(len({row >= 100 for row in batch.tolist()}) == 1 for batch in batches)
    assert joined(batches) == joined(mixed(sampling))
    assert joined(batches) != joined(mixed(sampling, epoch=1))


def test_in_proportion_every_row_is_seen_once():
    assert sorted(joined(mixed("proportional"))) == list(range(120))


@pytest.mark.parametrize(("sampling", "small"), [("equal", 6), (2.0, 4), (1.0, 2)])
def test_a_small_set_is_drawn_as_often_as_was_asked(sampling, small):
    # Of 10 and 2 batches; the square roots stand 3.16 to 1.41, so 12 are divided into 8 and 4.
    assert sum(int(batch[0]) >= 100 for batch in mixed(sampling)) == small


def test_over_the_epochs_every_row_comes_up_equally_often():
    seen = np.bincount(np.concatenate([row for epoch in range(5) for row in mixed("equal", epoch=epoch)]))
    # 5 epochs x 6 batches: three passes over the large set, fifteen over the small one.
    assert seen[:100].tolist() == [3] * 100
    assert seen[100:].tolist() == [15] * 20


def test_sets_are_drawn_by_length_too():
    costs = np.arange(120) % 13
    large = [batch for batch in mixed("proportional", costs=costs) if batch[0] < 100]
    assert max(len(set(costs[batch].tolist())) for batch in large) <= 3
