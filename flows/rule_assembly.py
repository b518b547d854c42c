"""From what a scenario says of its tables' values to the rules that ingestion checks."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from flows.scenario_checks import modality_columns, read_tables
from flows.source_checks import column_kinds
from flows.spec import Checks, DataScenario, Rows, Scenario, Text
from ingestion.rules import ColumnRule, Rules
from ingestion.values import as_category, as_time


def table_rules(scenario: DataScenario, table: str) -> Rules | None:
    """What a table declares of its values, and what its tasks need of them; None where that is nothing."""
    return with_marks(source_rules(scenario.data[table]), marked_columns(scenario, table))


def source_rules(data: Rows) -> Rules | None:
    """The declared checks, or None where there are none."""
    if not data.checks and not data.order:
        return None
    kinds = column_kinds(data)
    return Rules(
        columns={column: column_rule(checks, kind=kinds[column]) for column, checks in data.checks.items()},
        order=data.order,
    )


def with_marks(rules: Rules | None, columns: Sequence[str]) -> Rules | None:
    """The rules, and that two stretches are marked in these columns."""
    if not columns:
        return rules
    from modalities.preparation.marked_text import TAG_PAIRS

    known = rules or Rules()
    marked = {name: replace(known.columns.get(name, ColumnRule()), tags=TAG_PAIRS) for name in columns}
    return replace(known, columns={**known.columns, **marked})


def column_rule(checks: Checks, *, kind: str) -> ColumnRule:
    """One column's checks, with values as ingestion keeps them."""
    return ColumnRule(
        minimum=bound(checks.minimum),
        maximum=bound(checks.maximum),
        pattern=checks.pattern,
        allowed=None if checks.allowed is None else tuple(kept_value(value, kind=kind) for value in checks.allowed),
        unique=checks.unique,
        references=checks.references,
    )


def bound(value: float | datetime | None) -> float | None:
    """An end of a range; a time in microseconds since 1970."""
    return as_time(value) if isinstance(value, datetime) else value


def kept_value(value: str | float, *, kind: str) -> str | float:
    """A value as a column of this kind holds it; YAML reads an unquoted 1 or true as something else than text."""
    return float(value) if kind == "number" else as_category(value) or ""


def marked_columns(scenario: DataScenario, table: str) -> list[str]:
    """The columns of a table whose texts must have two stretches marked by tags in them."""
    if not isinstance(scenario, Scenario):
        return []
    return [
        column
        for name in read_tables(scenario).get(table, ())
        if isinstance(modality := scenario.modalities[name], Text) and modality.form == "marked" and not modality.ranges
        for column in modality_columns(modality, name, scenario.data[table])
    ]
