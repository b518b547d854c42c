"""What can be asked of one column: conditions over a table, true, false or unknown (null) for each row."""

import datetime as dt
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polyloom.errors import DataError, FilterError

Condition = Callable[[pa.Table], Any]
Operator = Literal["=", "<>", "<", "<=", ">", ">="]
Value = str | float
TYPES = {
    "number": pa.float64(),
    "category": pa.string(),
    "text": pa.string(),
    "time": pa.timestamp("us", tz="UTC"),
    "labels": pa.list_(pa.string()),
}
FUNCTIONS: dict[Operator, Callable[[Any, Any], Any]] = {
    "=": pc.equal,
    "<>": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
MIRRORED: dict[Operator, Operator] = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True)
class Column:
    """A column of the item table: its kind is number, category, text, time or labels."""

    name: str
    kind: str

    def values(self, table: pa.Table) -> Any:
        """The column in the type of its kind, NaN as null. Raises: DataError when the table has no such column."""
        if self.name not in table.column_names:
            raise DataError(f"The item table has no column {self.name!r}; it has {', '.join(table.column_names)}.")
        held = table[self.name]
        try:
            values = pc.cast(held, TYPES[self.kind], safe=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataError(f"The column {self.name!r} holds {held.type}, which is not {self.kind}.") from error
        if self.kind == "number" and pc.any(wrong := pc.is_nan(values)).as_py():
            return pc.if_else(wrong, pa.scalar(None, pa.float64()), values)
        return values


def all_of(conditions: Sequence[Condition]) -> Condition:
    """Every one of them holds."""
    return lambda table: functools.reduce(pc.and_kleene, (condition(table) for condition in conditions))


def any_of(conditions: Sequence[Condition]) -> Condition:
    """At least one of them holds."""
    return lambda table: functools.reduce(pc.or_kleene, (condition(table) for condition in conditions))


def opposite(condition: Condition) -> Condition:
    """It does not hold; what was unknown stays unknown."""
    return lambda table: pc.invert(condition(table))


def is_missing(column: Column) -> Condition:
    """The column has no value."""
    return lambda table: pc.is_null(column.values(table))


def compare(left: Column | Value, operator: Operator, right: Column | Value) -> Condition:
    """A column beside a value, or beside another column of its kind.

    Raises: FilterError when they cannot be compared.
    """
    if not isinstance(left, Column):
        if not isinstance(right, Column):
            raise FilterError(f"{left!r} {operator} {right!r} compares two values. Name a column on one side.")
        return compare(right, MIRRORED[operator], left)
    if left.kind == "labels":
        return _labelled(left, operator, right)
    function = FUNCTIONS[operator]
    if isinstance(right, Column):
        other = right
        if TYPES[left.kind] != TYPES[other.kind]:
            raise FilterError(
                f"{left.name!r} is a {left.kind} column and {other.name!r} a {other.kind} column; "
                "they cannot be compared."
            )
        return lambda table: function(left.values(table), other.values(table))
    scalar = _scalar(left, right)
    return lambda table: function(left.values(table), scalar)


def matches(column: Column, pattern: Column | Value, *, ignore_case: bool) -> Condition:
    """The column's text has the form of a LIKE pattern.

    Raises: FilterError for a column without text, and for a pattern that is none.
    """
    if TYPES[column.kind] != pa.string():
        raise FilterError(f"{column.name!r} is a {column.kind} column; LIKE reads category and text columns only.")
    if not isinstance(pattern, str):
        raise FilterError(f"LIKE needs a pattern in single quotes, such as {column.name} LIKE '%shoe%'.")
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise FilterError(f"The pattern {pattern!r} ends in a lone backslash. Write two for a literal one.")
    return lambda table: pc.match_like(column.values(table), pattern, ignore_case=ignore_case)


def _labelled(column: Column, operator: Operator, label: Column | Value) -> Condition:
    """The label is among the column's labels (=), or is not (<>)."""
    if operator not in {"=", "<>"}:
        raise FilterError(
            f"{column.name!r} is a labels column, which has no order: {operator} cannot be used. "
            f"Write {column.name} = 'x' for the items that carry x."
        )
    if not isinstance(label, str):
        raise FilterError(f"{column.name!r} is a labels column. Compare it with a label, as in {column.name} = 'x'.")
    contains: Condition = functools.partial(_contains, column, label)
    return contains if operator == "=" else opposite(contains)


def _contains(column: Column, label: str, table: pa.Table) -> Any:
    """Which rows carry a label, unknown where the labels are missing."""
    lists = column.values(table).combine_chunks()
    carrying = pc.filter(pc.list_parent_indices(lists), pc.equal(pc.list_flatten(lists), label))
    found = np.zeros(len(lists), dtype=np.bool_)
    found[carrying.to_numpy()] = True
    return pc.if_else(pc.is_valid(lists), pa.array(found), pa.scalar(None, pa.bool_()))


def _scalar(column: Column, value: Value) -> pa.Scalar:
    """A value in the column's type. Raises: FilterError when it is of another."""
    if column.kind == "time":
        return pa.scalar(_instant(column, value), TYPES["time"])
    if column.kind == "number" and isinstance(value, str):
        raise FilterError(
            f"{column.name!r} is a number column and cannot be compared with the text {value!r}. "
            f"Write a number, such as {column.name} < 20."
        )
    if column.kind != "number" and not isinstance(value, str):
        raise FilterError(
            f"{column.name!r} is a {column.kind} column and cannot be compared with the number {value:g}. "
            f"Put text in single quotes: '{value:g}'."
        )
    return pa.scalar(value, TYPES[column.kind])


def _instant(column: Column, value: Value) -> dt.datetime:
    """An ISO time, in UTC unless it says otherwise. Raises: FilterError when it is none."""
    try:
        instant = dt.datetime.fromisoformat(str(value))
        return (instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise FilterError(
            f"{column.name!r} is a time column and {value!r} is no ISO time. "
            "Write one such as '2026-01-31' or '2026-01-31T12:00:00+01:00'."
        ) from error
