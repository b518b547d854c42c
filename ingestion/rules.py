"""What a scenario declares about the values of a table, checked on whole columns of typed values."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.lengths import SameLength
from ingestion.refusals import Reason, Refusal, shown
from polyloom.errors import RequestError

ALLOWED_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class ColumnRule:
    """What one column allows; each part is unset by default, and a missing value passes them all.

    `minimum` and `maximum` are inclusive; for a time they are microseconds since 1970 in UTC. `pattern` must match the
    whole value; it is read by RE2, whose time grows only with the length of the text: it knows no backreferences and
    no look-around. In a column of several labels, `pattern` and `allowed` hold for each label. `unique` and
    `references`, the table whose key the value must be, concern more than one row: they are checked where all parts
    of a table come together. `tags` are pairs of words of which each stands once in the text, with something between.
    """

    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    allowed: tuple[str | float, ...] | None = None
    unique: bool = False
    references: str | None = None
    tags: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Refuse a pattern that cannot be read."""
        if self.pattern is not None and (mistake := pattern_mistake(self.pattern)):
            raise RequestError(f"pattern: {mistake}")


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules of one table. The columns of `order` may not decrease from one to the next within a row.

    `lengths` are groups of columns that have equally many elements in each row.
    """

    columns: Mapping[str, ColumnRule] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    lengths: tuple[SameLength, ...] = ()

    def check(self, table: pa.Table) -> dict[int, Refusal]:
        """The first refusal of each row that breaks a rule, by position; columns come in order of declaration."""
        refused: dict[int, Refusal] = {}
        for position, refusal in self._broken(table):
            refused.setdefault(position, refusal)
        return refused

    def _broken(self, table: pa.Table) -> Iterator[tuple[int, Refusal]]:
        for name, rule in self.columns.items():
            yield from _broken(name, rule, _whole(table.column(name)))
        for earlier, later in zip(self.order, self.order[1:], strict=False):
            yield from _disordered(earlier, later, table)
        for alike in self.lengths:
            yield from alike.check({name: _whole(table.column(name)) for name in alike.columns})


def pattern_mistake(pattern: str) -> str:
    """What is wrong with a pattern, or an empty string."""
    # Alone first: ")(" would pass between the anchors.
    for whole in (pattern, _anchored(pattern)):
        try:
            pc.match_substring_regex(pa.array([""]), whole)
        except pa.ArrowInvalid as error:
            why = str(error).removeprefix("Invalid regular expression: ")
            return f"{shown(pattern)} is not a regular expression that RE2 reads: {why}."
    return ""


def _broken(name: str, rule: ColumnRule, column: pa.Array) -> Iterator[tuple[int, Refusal]]:
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        rows, column = np.asarray(pc.list_parent_indices(column)), pc.list_flatten(column)
    else:
        rows = np.arange(len(column))
    for reason, fails, message in _tests(rule, column.type):
        for place in np.flatnonzero(np.asarray(pc.fill_null(fails(column), False))):  # noqa: FBT003 - Arrow's call
            yield int(rows[place]), Refusal(reason, f"{name!r}: {message(_shown(column[int(place)]))}")


Test = tuple[Reason, Callable[[pa.Array], pa.Array], Callable[[str], str]]


def _tests(rule: ColumnRule, kind: pa.DataType) -> Iterator[Test]:
    if rule.minimum is not None:
        least = _scalar(rule.minimum, kind)
        yield (
            "out_of_range",
            lambda column: pc.less(column, least),
            lambda value: f"{value} is below {_shown(least)}, the least that the scenario allows.",
        )
    if rule.maximum is not None:
        most = _scalar(rule.maximum, kind)
        yield (
            "out_of_range",
            lambda column: pc.greater(column, most),
            lambda value: f"{value} is above {_shown(most)}, the most that the scenario allows.",
        )
    if rule.allowed is not None:
        allowed = pa.array(rule.allowed, type=kind)
        names = _listed(allowed)
        yield (
            "not_allowed",
            lambda column: pc.and_(pc.is_valid(column), pc.invert(pc.is_in(column, value_set=allowed))),
            lambda value: f"{value} is not allowed; allowed: {names}.",
        )
    if rule.pattern is not None:
        pattern = rule.pattern
        yield (
            "bad_pattern",
            lambda column: pc.invert(pc.match_substring_regex(column, _anchored(pattern))),
            lambda value: f"{value} does not match the pattern {pattern!r}.",
        )
    if rule.tags:
        told = " and ".join(f"{first}…{last}" for first, last in rule.tags)
        yield (
            "bad_pattern",
            lambda column: pc.invert(_tagged(column, rule.tags)),
            lambda value: f"{value} does not mark {told} once each, with something between.",
        )


def _tagged(column: pa.Array, tags: tuple[tuple[str, str], ...]) -> pa.Array:
    """Which texts have each tag once, and something between the two of a pair."""
    right = pc.is_valid(column)
    for first, last in tags:
        once = pc.and_(pc.equal(pc.count_substring(column, first), 1), pc.equal(pc.count_substring(column, last), 1))
        between = pc.match_substring_regex(column, f"(?s){re.escape(first)}.*\\S.*{re.escape(last)}")
        right = pc.and_(right, pc.and_(once, between))
    return pc.or_(right, pc.is_null(column))


def _disordered(earlier: str, later: str, table: pa.Table) -> Iterator[tuple[int, Refusal]]:
    before, after = _whole(table.column(earlier)), _whole(table.column(later))
    for place in np.flatnonzero(np.asarray(pc.fill_null(pc.greater(before, after), False))):  # noqa: FBT003
        first, second = _shown(before[int(place)]), _shown(after[int(place)])
        word = "before" if pa.types.is_timestamp(after.type) else "below"
        yield (
            int(place),
            Refusal("wrong_order", f"{later!r}: {second} is {word} {earlier!r}, which is {first}; it may not be."),
        )


def _anchored(pattern: str) -> str:
    return rf"\A(?:{pattern})\z"


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _scalar(value: float, kind: pa.DataType) -> pa.Scalar:
    return pa.scalar(int(value), type=kind) if pa.types.is_timestamp(kind) else pa.scalar(value, type=kind)


def _shown(value: pa.Scalar) -> str:
    if pa.types.is_timestamp(value.type):
        return str(pc.strftime(value, format="%Y-%m-%dT%H:%M:%SZ")).replace(".000000Z", "Z")
    plain = value.as_py()
    return f"{plain:.15g}" if isinstance(plain, float) else shown(plain)


def _listed(allowed: pa.Array) -> str:
    first = allowed[:ALLOWED_SHOWN]
    names = first.to_pylist() if pa.types.is_string(first.type) else [_shown(value) for value in first]
    more = len(allowed) - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")
