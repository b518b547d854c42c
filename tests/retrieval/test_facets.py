"""Facets: by hand, beside Python's Counter, and beside what a filter for the value finds."""

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyloom.errors import DataError, RequestError
from retrieval.facets import FacetCount, facet_counts
from retrieval.where import parse_filter

COLUMNS = {"category": "category", "tags": "labels", "price": "number", "title": "text", "at": "time"}
SCHEMA = pa.schema([("category", pa.string()), ("tags", pa.list_(pa.string()))])
ROWS = [
    {"category": "shoes", "tags": ["red", "new"]},
    {"category": "鞋子", "tags": ["red", None, "red"]},
    {"category": None, "tags": None},
    {"category": "shoes", "tags": []},
    {"category": "hats", "tags": ["新"]},
]


def test_counts_by_hand():
    found = facet_counts(pa.Table.from_pylist(ROWS, SCHEMA), COLUMNS, names=["tags", "category"])
    assert list(found) == ["tags", "category"]
    assert found["category"] == [("shoes", 2), ("hats", 1), ("鞋子", 1)]
    assert found["tags"] == [("red", 2), ("new", 1), ("新", 1)]
    assert found["tags"][0] == FacetCount(value="red", count=2)


def test_no_more_than_the_most_are_listed():
    table = pa.Table.from_pylist([{"category": f"c{number:02}"} for number in range(30)], SCHEMA)
    assert len(facet_counts(table, COLUMNS, names=["category"])["category"]) == 20
    assert facet_counts(table, COLUMNS, names=["category"], most=2)["category"] == [("c00", 1), ("c01", 1)]


@pytest.mark.parametrize("table", [SCHEMA.empty_table(), pa.Table.from_pylist([{}, {}], SCHEMA)])
def test_nothing_gives_nothing(table):
    assert facet_counts(table, COLUMNS, names=["category", "tags"]) == {"category": [], "tags": []}
    assert facet_counts(table, COLUMNS, names=[]) == {}


def test_rows_in_several_chunks_and_encoded_values_are_counted_as_any():
    table = pa.Table.from_pylist(ROWS, SCHEMA)
    whole = facet_counts(table, COLUMNS, names=["category", "tags"])
    chunked = pa.concat_tables([table[:2], table[2:4], table[4:]])
    encoded = chunked.set_column(0, "category", chunked["category"].dictionary_encode())
    assert facet_counts(encoded, COLUMNS, names=["category", "tags"]) == whole


VALUES = st.one_of(st.none(), st.sampled_from(["a", "b", "红"]))


@given(
    st.lists(st.fixed_dictionaries({"category": VALUES, "tags": st.one_of(st.none(), st.lists(VALUES, max_size=4))}))
)
def test_each_count_is_what_a_filter_for_the_value_finds(rows):
    table = pa.Table.from_pylist(rows, SCHEMA)
    found = facet_counts(table, COLUMNS, names=["category", "tags"])
    for name, counts in found.items():
        held = Counter(value for row in rows for value in values(row[name]))
        assert counts == sorted(held.items(), key=lambda pair: (-pair[1], pair[0]))
        for value, count in counts:
            assert count == parse_filter(f"{name} = '{value}'", COLUMNS).mask(table).sum()


def values(held):
    """The different values in a cell."""
    return {*(held if isinstance(held, list) else [held])} - {None}


@pytest.mark.parametrize(
    ("names", "columns", "message"),
    [
        (["categroy"], COLUMNS, r"no column 'categroy'\. Did you mean 'category'\? .* are counted: category, tags\."),
        (["price"], COLUMNS, r"'price' is a number column, whose values are not counted\. .*: category, tags\."),
        (["title"], COLUMNS, "'title' is a text column"),
        (["tags", "at"], COLUMNS, "'at' is a time column"),
        (["price"], {"price": "number"}, "are counted: there are none here"),
    ],
)
def test_what_cannot_be_counted_is_named(names, columns, message):
    with pytest.raises(RequestError, match=message):
        facet_counts(SCHEMA.empty_table(), columns, names=names)


def test_a_table_that_is_not_what_its_columns_say():
    with pytest.raises(RequestError, match="may list is 0; allow at least 1"):
        facet_counts(SCHEMA.empty_table(), COLUMNS, names=["tags"], most=0)
    with pytest.raises(DataError, match="has no column 'colour'"):
        facet_counts(SCHEMA.empty_table(), {"colour": "category"}, names=["colour"])
