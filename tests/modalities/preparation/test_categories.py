"""One-hot places, by hand."""

import pytest

from modalities.preparation.categories import CategoryPreparation

ROWS = [{"colour": "red", "size": 2}, {"colour": "绿", "size": 1}, {"colour": None, "size": 2}]


@pytest.fixture
def prepare():
    return CategoryPreparation.fit(ROWS, columns=("colour", "size"))


def vector(prepare, row):
    return prepare([prepare.value(row)])["vector"][0].tolist()


def test_each_column_has_its_known_values_sorted_and_a_place_for_others(prepare):
    assert prepare.values == {"colour": ("red", "绿"), "size": ("1", "2")}
    assert prepare.dim == 6


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"colour": "red", "size": 1}, [1, 0, 0, 1, 0, 0]),
        ({"colour": "绿", "size": "2"}, [0, 1, 0, 0, 1, 0]),
        ({"colour": "blue", "size": 9}, [0, 0, 1, 0, 0, 1]),
        ({"colour": None, "size": 2}, [0, 0, 0, 0, 1, 0]),
        ({"size": 2}, [0, 0, 0, 0, 1, 0]),
    ],
    ids=["known", "chinese", "unseen", "missing", "no column"],
)
def test_places(prepare, row, expected):
    assert vector(prepare, row) == expected


def test_a_column_that_is_always_empty_has_only_the_place_for_others():
    prepare = CategoryPreparation.fit([{"colour": None}, {}], columns=("colour",))
    assert prepare.dim == 1
    assert vector(prepare, {"colour": "red"}) == [1]
