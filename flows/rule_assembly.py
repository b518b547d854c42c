"""From what a scenario says of its tables' values to the rules that ingestion checks."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from flows.modality_spec import Text
from flows.scenario_columns import modality_columns, read_tables, table_of, task_inputs
from flows.source_checks import column_kinds
from flows.source_spec import Checks, Rows
from flows.spec import DataScenario, Scenario
from ingestion.lengths import SameLength
from ingestion.rules import ColumnRule, Rules
from ingestion.values import as_category, as_time


def table_rules(scenario: DataScenario, table: str) -> Rules | None:
    """What a table declares of its values, and what its tasks need of them; None where that is nothing."""
    declared = source_rules(scenario.data[table])
    return with_tags(with_marks(declared, marked_columns(scenario, table)), tagged_columns(scenario, table))


def source_rules(data: Rows) -> Rules | None:
    """The declared checks, or None where there are none."""
    if not (data.checks or data.order or data.same_length):
        return None
    kinds = column_kinds(data)
    return Rules(
        columns={column: column_rule(checks, kind=kinds[column]) for column, checks in data.checks.items()},
        order=data.order,
        lengths=(SameLength(columns=data.same_length),) if data.same_length else (),
    )


def with_marks(rules: Rules | None, columns: Sequence[str]) -> Rules | None:
    """The rules, and that two stretches are marked in these columns."""
    if not columns:
        return rules
    from modalities.preparation.marked_text import TAG_PAIRS

    known = rules or Rules()
    marked = {name: replace(known.columns.get(name, ColumnRule()), tags=TAG_PAIRS) for name in columns}
    return replace(known, columns={**known.columns, **marked})


def with_tags(rules: Rules | None, pairs: Sequence[tuple[str, str]]) -> Rules | None:
    """The rules, and that each word has a tag, in pairs of columns; a text is split as in training and serving."""
    if not pairs:
        return rules
    from modalities.preparation.word_split import WORD

    known = rules or Rules()
    return replace(known, lengths=(*known.lengths, *(SameLength(columns=pair, word=WORD) for pair in pairs)))


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


def tagged_columns(scenario: DataScenario, table: str) -> list[tuple[str, str]]:
    """Pairs of columns of a table: one of words, one with a tag for each."""
    if not isinstance(scenario, Scenario):
        return []
    pairs = [
        (column, task.target)
        for name, task in scenario.tasks.items()
        if task.kind == "token_classification" and table_of(scenario, name) == table
        for given in task_inputs(scenario, name)
        for column in modality_columns(scenario.modalities[given], given, scenario.data[table])
    ]
    return list(dict.fromkeys(pairs))
