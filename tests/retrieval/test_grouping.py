import pytest

from polyloom.errors import RequestError
from retrieval.grouping import best_per_group

RANKING = [("a1", 0.9), ("a2", 0.8), ("lone", 0.7), ("b1", 0.6), ("other", 0.5), ("b2", 0.4)]
GROUPS = {"a1": "a", "a2": "a", "b1": "b", "b2": "b", "lone": None, "other": None}


def test_the_best_hit_of_each_group_in_order():
    expected = [("a1", 0.9), ("lone", 0.7), ("b1", 0.6), ("other", 0.5)]
    assert best_per_group(RANKING, group_of=GROUPS.get, k=10) == expected
    assert best_per_group(RANKING, group_of=GROUPS.get, k=2) == expected[:2]


def test_an_item_without_a_group_is_not_the_group_of_its_name():
    assert best_per_group([("a", 2.0), ("x", 1.0)], group_of={"x": "a"}.get, k=5) == [("a", 2.0), ("x", 1.0)]


def test_k_below_one_is_refused():
    with pytest.raises(RequestError, match="k is 0; ask for at least 1 hit"):
        best_per_group(RANKING, group_of=GROUPS.get, k=0)
