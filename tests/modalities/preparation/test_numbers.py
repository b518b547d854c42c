"""Standard scores, by hand."""

import numpy as np
import pytest

from modalities.preparation.numbers import NumberPreparation

ROWS = [{"price": 1.0, "stock": 7}, {"price": 3.0, "stock": 7}, {"price": None, "stock": 7}]


@pytest.fixture
def prepare():
    return NumberPreparation.fit(ROWS, columns=("price", "stock"))


def vector(prepare, row):
    return prepare([prepare.value(row)])["vector"][0].tolist()


def test_statistics_leave_missing_numbers_out(prepare):
    assert prepare.mean == (2.0, 7.0)
    assert prepare.deviation == (1.0, 1.0)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"price": 3.0, "stock": 7}, [1, 0, 0, 0]),
        ({"price": 2.5, "stock": 6}, [0.5, -1, 0, 0]),
        ({"price": 1e9, "stock": -1e9}, [5, -5, 0, 0]),
        ({"price": None, "stock": 8}, [0, 1, 1, 0]),
        ({"price": float("nan"), "stock": 8}, [0, 1, 1, 0]),
        ({"stock": 8}, [0, 1, 1, 0]),
    ],
    ids=["known", "between", "clipped", "missing", "nan", "no column"],
)
def test_scores_then_what_is_missing(prepare, row, expected):
    assert vector(prepare, row) == expected


def test_a_column_that_is_always_empty_is_zero_and_missing():
    prepare = NumberPreparation.fit([{"price": None, "stock": 1}], columns=("price", "stock"))
    assert vector(prepare, {"price": None, "stock": 1}) == [0, 0, 1, 0]
    assert np.isfinite([*prepare.mean, *prepare.deviation]).all()


def test_fitting_on_no_rows_gives_the_numbers_themselves():
    assert vector(NumberPreparation.fit([], columns=("price",)), {"price": 2.0}) == [2, 0]
