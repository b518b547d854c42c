"""The learning rate's course, by hand."""

import pytest

from training.schedule import rate_factor


def test_up_in_a_line_and_down_by_half_a_cosine():
    factors = [rate_factor(step, total=10, warmup=0.2) for step in range(11)]
    assert factors[:3] == [0.5, 1.0, 1.0]
    assert factors[6] == pytest.approx(0.5)
    assert factors[10] == pytest.approx(0.0)
    assert factors[2:] == sorted(factors[2:], reverse=True)


@pytest.mark.parametrize(("total", "warmup"), [(1, 0.0), (1, 1.0), (5, 0.0), (5, 1.0)])
def test_the_ends_of_the_range(total, warmup):
    factors = [rate_factor(step, total=total, warmup=warmup) for step in range(total)]
    assert all(0.0 <= factor <= 1.0 for factor in factors)
    assert max(factors) == 1.0


def test_after_the_end_it_stays_down():
    assert rate_factor(99, total=10, warmup=0.1) == 0.0
