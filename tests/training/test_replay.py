"""What a memory keeps of earlier steps, and how it comes again."""

from collections import Counter

import numpy as np
import pytest

from training.replay import kept_rows, replayed

ROWS = np.arange(100, 160)
LABELS = np.arange(60) % 3 - (np.arange(60) % 20 == 0) * 5
ORDER = np.random.default_rng(0).random(200)


def kept(rows=ROWS, labels=LABELS, *, memory, memory_of="label"):
    return kept_rows(rows, labels, memory=memory, memory_of=memory_of, order=ORDER)


def test_each_label_keeps_as_many_rows_and_unknown_ones_none():
    found = kept(memory=4)
    assert Counter(LABELS[found - 100].tolist()) == {0: 4, 1: 4, 2: 4}


def test_a_memory_in_all_is_shared_by_the_labels():
    assert Counter(LABELS[kept(memory=7, memory_of="all") - 100].tolist()) == {0: 2, 1: 2, 2: 2}
    assert len(kept(memory=1, memory_of="all")) == 3


@pytest.mark.parametrize("memory_of", ["label", "all"])
def test_a_memory_follows_from_the_one_before_and_the_new_rows(memory_of):
    """Nothing that was thrown away may come back."""
    first, second = ROWS[:30], ROWS[30:]
    before = kept(first, LABELS[:30], memory=6, memory_of=memory_of)
    both = np.concatenate([before, second])
    again = kept(both, LABELS[both - 100], memory=6, memory_of=memory_of)
    np.testing.assert_array_equal(again, kept(memory=6, memory_of=memory_of))


def test_the_memory_is_repeated_evenly_and_never_cut():
    counts = Counter(replayed(np.arange(5), rows=13, random=np.random.default_rng(0)).tolist())
    assert sorted(counts.values()) == [2, 2, 3, 3, 3]
    assert sorted(replayed(np.arange(5), rows=2, random=np.random.default_rng(0))) == [0, 1, 2, 3, 4]
    assert len(replayed(np.arange(0), rows=9, random=np.random.default_rng(0))) == 0
