"""From the rows of a table to the values that a task's decoder encodes."""

from collections.abc import Mapping, Sequence

from flows.detection_assembly import boxes_in_shares
from flows.scenario_columns import modality_columns, span_columns, table_of, task_inputs
from flows.spec import Scenario
from flows.task_spec import Alignment, Detection, Span
from heads.span_target import SpanTarget


def target_values(scenario: Scenario, task: str, rows: Sequence[Mapping[str, object]]) -> list[object]:
    """What a task's decoder encodes, of rows of its table: the target, of a span its context too, of a pair both.

    Boxes are in shares of their picture.
    """
    settings = scenario.tasks[task]
    if isinstance(settings, Alignment):
        return pairs(scenario, task, rows)
    if isinstance(settings, Detection):
        return boxes_in_shares(scenario, task, rows)
    if not isinstance(settings, Span):
        return [row[settings.target] for row in rows]
    context = span_columns(scenario, task)[1]
    return [span_target(row, settings, context=context) for row in rows]


def pairs(scenario: Scenario, task: str, rows: Sequence[Mapping[str, object]]) -> list[object]:
    """The two values of each row that an alignment brings together, each as its columns, None where these are empty."""
    table = scenario.data[table_of(scenario, task)]
    first, second = (modality_columns(scenario.modalities[name], name, table) for name in task_inputs(scenario, task))
    return [(filled(row, first), filled(row, second)) for row in rows]


def filled(row: Mapping[str, object], columns: Sequence[str]) -> tuple[object, ...] | None:
    """A row's values in some columns, or None where all are missing."""
    values = tuple(row[column] for column in columns)
    return None if all(value is None for value in values) else values


def span_target(row: Mapping[str, object], settings: Span, *, context: str) -> SpanTarget:
    """A row's accepted answers in its context."""
    start = row[settings.start] if settings.start else None
    answers = row[settings.target]
    return SpanTarget(
        context=str(row[context] or ""),
        answers=[str(answer) for answer in answers] if isinstance(answers, list) else [],
        start=None if start is None else int(float(str(start))),
    )
