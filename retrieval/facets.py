"""How many of the rows that match carry each value, such as what stands beside a list of results to narrow it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from polyloom.errors import RequestError, suggestion
from retrieval.predicates import Column

COUNTED = ("category", "labels")


class FacetCount(NamedTuple):
    """A value, and how many rows carry it."""

    value: str
    # Tuples have a method of this name, which nobody calls on two fields.
    count: int  # type: ignore[assignment]


def facet_counts(
    table: pa.Table, columns: Mapping[str, str], *, names: Sequence[str], most: int = 20
) -> dict[str, list[FacetCount]]:
    """For each of `names` the values in `table`'s rows, the most frequent first, ties by value; at most `most`.

    `columns` gives each column's kind, as in `parse_filter`. Categories and labels are counted; a missing value is
    none, and a row that carries a label twice counts once, so that each count is what a filter for the value finds.

    Raises: RequestError for a name or a kind that cannot be counted, or most < 1; DataError as a filter does.
    """
    if most < 1:
        raise RequestError(f"The most values a facet may list is {most}; allow at least 1.")
    checked = [_column(name, columns) for name in names]
    return {column.name: _counts(_values(column, table))[:most] for column in checked}


def _column(name: str, columns: Mapping[str, str]) -> Column:
    """A column that can be counted. Raises: RequestError naming those that can."""
    countable = sorted(known for known, kind in columns.items() if kind in COUNTED)
    allowed = f"Category and labels columns are counted: {', '.join(countable) or 'there are none here'}."
    if name not in columns:
        raise RequestError(f"There is no column {name!r}.{suggestion(name, countable)} {allowed}")
    if columns[name] not in COUNTED:
        raise RequestError(f"{name!r} is a {columns[name]} column, whose values are not counted. {allowed}")
    return Column(name=name, kind=columns[name])


def _values(column: Column, table: pa.Table) -> Any:
    """Each row's values, one after the other."""
    held = column.values(table)
    if column.kind == "category":
        return held
    lists = held.combine_chunks()
    pairs = pa.table({"row": pc.list_parent_indices(lists), "label": pc.list_flatten(lists)})
    return pairs.group_by(["row", "label"]).aggregate([])["label"]


def _counts(values: Any) -> list[FacetCount]:
    """Each value with its count."""
    counted = pc.value_counts(pc.drop_null(values)).to_pylist()
    found = [FacetCount(one["values"], one["counts"]) for one in counted]
    return sorted(found, key=lambda one: (-one.count, one.value))
