"""Every row once an epoch, whatever the sizes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.batches import BUCKET_BATCHES, epoch_batches, ordered_batches


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
