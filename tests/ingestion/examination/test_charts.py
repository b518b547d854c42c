"""Bars of a column: parts of its range, of which there may be only one."""

import numpy as np
import pytest

from ingestion.examination.charts import PARTS, _bars

MOMENT = 1_795_800_000_000_000.0
"""In microseconds since 1970, where neighbouring floats are a quarter apart."""


def test_every_value_is_in_one_bar():
    numbers = np.random.default_rng(0).normal(size=1000)
    bars = _bars(numbers, "number")
    assert len(bars) == PARTS
    assert sum(bar.number for bar in bars) == 1000
    assert max(bar.share for bar in bars) == 1.0


@pytest.mark.parametrize("numbers", [[MOMENT], [MOMENT] * 5, [MOMENT, MOMENT + 0.5], [0.0], [1e300] * 3])
def test_what_a_float_cannot_tell_apart_is_one_bar(numbers):
    (bar,) = _bars(np.array(numbers), "number")
    assert (bar.number, bar.share) == (len(numbers), 1.0)


def test_a_single_moment_is_shown_by_its_day():
    (bar,) = _bars(np.array([MOMENT]), "time")
    assert bar.name == "2026-11-27"
