from itertools import permutations

import numpy as np
import pytest

from heads.shapley import shapley_values
from polyloom.errors import RequestError


def by_orders(values, parts):
    """Each part's mean gain over all orders in which parts can come: the definition."""
    orders = list(permutations(range(parts)))
    found = np.zeros(parts)
    for order in orders:
        here = 0
        for part in order:
            found[part] += values[here | (1 << part)] - values[here]
            here |= 1 << part
    return found / len(orders)


@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_shares_are_the_mean_gains_over_all_orders_and_add_up(parts):
    values = np.random.default_rng(parts).normal(size=2**parts)

    def score(subsets):
        return values[(subsets * (1 << np.arange(parts))).sum(axis=1)]

    shares = shapley_values(score, parts=parts)
    assert shares.values == pytest.approx(by_orders(values, parts))
    assert shares.base + shares.values.sum() == pytest.approx(shares.whole)
    assert (shares.base, shares.whole) == (values[0], values[-1])


def test_a_part_that_changes_nothing_has_no_share():
    shares = shapley_values(lambda subsets: 3.0 * subsets[:, 0], parts=2)
    assert shares.values.tolist() == [3.0, 0.0]


def test_too_many_are_refused():
    with pytest.raises(RequestError, match="13 modalities have 8,192 subsets; up to 12 are explained"):
        shapley_values(lambda subsets: np.zeros(len(subsets)), parts=13)
