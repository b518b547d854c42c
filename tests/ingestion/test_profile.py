import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.profile import DISTINCT_LIMIT, TOP, merge, profile

TIME = pa.timestamp("us", tz="UTC")


def column(values, kind=None):
    return profile(pa.table({"c": pa.array(values, kind)}))["columns"]["c"]


def test_numbers():
    found = column([1.0, 2.0, None, 6.0])
    assert found == {
        "type": "double",
        "rows": 4,
        "nulls": 1,
        "null_share": 0.25,
        "min": 1.0,
        "max": 6.0,
        "mean": 3.0,
        "spread": 14.0,
        "distinct": 3,
        "capped": False,
        "values": {"1": 1, "2": 1, "6": 1},
    }


def test_words_and_their_lengths():
    found = column(["汉字", "ab", "ab", None, "x" * 100])
    assert found["values"] == {"ab": 2, "x" * 100: 1, "汉字": 1}
    assert (found["distinct"], found["capped"], found["null_share"]) == (3, False, 0.2)
    assert found["length_quantiles"]["0.5"] == 2
    assert found["length_quantiles"]["0.95"] == pytest.approx(100, rel=0.1)


def test_lists_times_and_truths():
    lists = column([["a", "b"], [], None, ["a"]], pa.list_(pa.string()))
    assert lists["values"] == {"a": 2, "b": 1}
    assert lists["length_quantiles"]["0.5"] == 1
    times = column([0, 10, None], TIME)
    assert (times["min"], times["max"], times["mean"]) == (0, 10, 5.0)
    assert column([True, False, True])["values"] == {"True": 2, "False": 1}
    boxes = column([[{"label": "cat", "x": 1.0}]], pa.list_(pa.struct({"label": pa.string(), "x": pa.float64()})))
    assert boxes["length_quantiles"]["0.5"] == 1
    assert "values" not in boxes


def test_many_different_values_are_not_listed():
    found = column([f"v{number}" for number in range(DISTINCT_LIMIT + 1)])
    assert (found["distinct"], found["capped"], found["values"]) == (DISTINCT_LIMIT, True, {})
    twice = column([f"v{number // 2}" for number in range(2 * DISTINCT_LIMIT + 2)])
    assert (twice["distinct"], twice["capped"], len(twice["values"])) == (DISTINCT_LIMIT, True, TOP)
    often = column(["often"] * 3_000 + [f"v{number}" for number in range(3_000)])
    assert next(iter(often["values"])) == "often"


def test_nothing_is_nothing_and_internal_columns_are_no_columns():
    table = pa.table({"c": pa.array([], pa.float64()), "_key": pa.array([], pa.string())})
    assert profile(table) == {
        "rows": 0,
        "columns": {
            "c": {
                "type": "double",
                "rows": 0,
                "nulls": 0,
                "null_share": 0.0,
                "distinct": 0,
                "capped": False,
                "values": {},
            }
        },
    }
    assert column([None, None], pa.string())["null_share"] == 1.0
    assert merge([]) == {"rows": 0, "columns": {}}


rows = st.lists(
    st.tuples(
        st.none() | st.floats(-1e6, 1e6),
        st.none() | st.sampled_from(["a", "bb", "ccc", "汉"]),
        st.none() | st.lists(st.sampled_from(["x", "y"]), max_size=3),
    ),
    max_size=30,
)
SCHEMA = pa.schema({"number": pa.float64(), "word": pa.string(), "labels": pa.list_(pa.string())})


def as_table(some):
    return pa.table(list(zip(*some, strict=True)) or [[], [], []], schema=SCHEMA)


@settings(deadline=None)
@given(st.lists(rows, min_size=1, max_size=5))
def test_profiles_of_parts_make_the_profile_of_the_whole(parts):
    whole = profile(as_table([row for part in parts for row in part]))
    merged = merge([profile(as_table(part)) for part in parts])
    assert merged["rows"] == whole["rows"]
    for name, expected in whole["columns"].items():
        found = merged["columns"][name]
        assert found.keys() == expected.keys()
        for word, value in expected.items():
            if word in {"mean", "spread", "null_share"}:
                assert found[word] == pytest.approx(value, rel=1e-6, abs=1e-3)
            else:
                assert found[word] == value
    assert json.loads(json.dumps(merged)) == merged


def test_a_column_that_a_part_lacks_is_missing_there():
    merged = merge([profile(pa.table({"a": [1.0, 2.0]})), profile(pa.table({"a": [3.0], "b": ["x"]}))])
    assert (merged["columns"]["b"]["nulls"], merged["columns"]["b"]["rows"]) == (2, 3)
    mixed = merge([profile(pa.table({"a": [1.0]})), profile(pa.table({"a": ["x"]}))])
    assert mixed["columns"]["a"]["type"] == "double or string"
