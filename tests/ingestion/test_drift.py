import numpy as np
import pyarrow as pa
import pytest

from ingestion.drift import drift
from ingestion.profile import profile

RNG = np.random.default_rng(0)


def changes(old, new):
    """Kind and message of each drift of a single column `c`."""
    found = drift({"t": profile(pa.table({"c": old}))}, {"t": profile(pa.table({"c": new}))})
    assert all((one.table, one.column) == ("t", "c") for one in found)
    return {one.kind: one.message for one in found}


def test_tables_and_columns_that_come_and_go():
    old = {"a": profile(pa.table({"x": [1.0], "y": [1.0]})), "b": profile(pa.table({"x": [1.0]}))}
    new = {"a": profile(pa.table({"x": [1.0], "z": [1.0]})), "c": profile(pa.table({"x": [1.0]}))}
    assert [(one.table, one.column, one.kind, one.message) for one in drift(old, new)] == [
        ("c", "", "table_added", "the table 'c' is new."),
        ("b", "", "table_removed", "the table 'b' is gone."),
        ("a", "z", "column_added", "'z' is new."),
        ("a", "y", "column_removed", "'y' is gone."),
    ]


def test_another_type_is_the_only_thing_said():
    assert changes([1.0, 2.0], ["a", None]) == {"type_changed": "'c': was double, is string."}


def test_more_missing_values():
    old, new = ["x"] * 90 + [None] * 10, ["x"] * 40 + [None] * 60
    assert changes(old, new)["missing_share"] == "'c': 60.0% of the values are missing, before 10.0%."
    assert "missing_share" not in changes(["x"] * 9 + [None], ["x"] * 7 + [None] * 3)


def test_new_values_and_values_that_are_gone():
    found = changes(["a"] * 500 + ["b"] * 490 + ["c"] * 10, ["a"] * 500 + ["b"] * 490 + ["汉"] * 10)
    assert found == {
        "new_values": "'c': new values '汉', 1.0% of the rows.",
        "values_gone": "'c': no more 'c', before 1.0% of the rows.",
    }
    many = changes(["a"] * 100, ["a"] * 100 + [f"n{number}" for number in range(8)])
    assert many["new_values"].startswith("'c': new values 'n0', 'n1', 'n2', 'n3', 'n4' and 3 more, 7.4% of the rows")


def test_shares_that_move():
    found = changes(["a"] * 500 + ["b"] * 300 + ["c"] * 200, ["a"] * 800 + ["b"] * 150 + ["c"] * 50)
    assert found == {
        "value_shares": "'c': 30% of the rows hold another value than before; most of all 'a' went from 50.0% to 80.0%."
    }


def test_means_and_ranges_that_move():
    found = changes(RNG.normal(10, 1, 1_000), RNG.normal(12, 1, 1_000))
    assert set(found) == {"mean"}
    assert found["mean"].startswith("'c': the mean is 1")
    wide = changes(np.append(RNG.normal(0, 1, 1_000), 3.0), np.append(RNG.normal(0, 1, 1_000), 1e3))
    assert wide["range"].startswith("'c': from -")
    assert "to 1000, before from" in wide["range"]


def test_texts_that_grow():
    found = changes(["word " * 10 + str(n) for n in range(300)], ["word " * 40 + str(n) for n in range(300)])
    assert set(found) == {"lengths"}
    assert "characters, before than" in found["lengths"]


@pytest.mark.parametrize("size", [10, 100, 2_000])
def test_samples_of_one_distribution_do_not_drift(size):
    rng = np.random.default_rng(size)
    for _ in range(30):
        sides = []
        for _ in range(2):
            words = rng.choice(["a", "b", "c", "d"], size, p=[0.5, 0.3, 0.15, 0.05]).astype(object)
            words[rng.random(size) < 0.2] = None
            sides.append({"t": profile(pa.table({"word": words, "number": rng.normal(size=size)}))})
        kinds = {one.kind for one in drift(*sides)}
        # That a rare value is seen or not is a fact, told whatever it means; nothing else may be claimed.
        assert kinds <= {"new_values", "values_gone", "range"}


def test_the_same_profile_and_no_rows_at_all_say_nothing():
    same = {"t": profile(pa.table({"c": ["a", None], "d": [1.0, 2.0]}))}
    assert drift(same, same) == []
    assert (
        drift(same, {"t": profile(pa.table({"c": pa.array([], pa.string()), "d": pa.array([], pa.float64())}))}) == []
    )
