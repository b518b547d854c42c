"""What must hold for the sections `recommend` and `answer`."""

from collections.abc import Iterator

from flows.reading_checks import reading_problems, reply_problems
from flows.source_checks import column_kinds, unknown
from flows.source_spec import Records
from flows.spec import Scenario
from flows.task_spec import Classification
from flows.use_spec import Rank
from polyloom.errors import PolyloomError
from retrieval.answering.templates import parse_template
from retrieval.where import parse_filter

RANK_KINDS = {"price": "number", "published": "time", "category": "category"}


def use_problems(scenario: Scenario) -> Iterator[str]:
    """Uses of an index that is not there, or of tables and columns that cannot serve."""
    yield from recommend_problems(scenario)
    yield from answer_problems(scenario)


def recommend_problems(scenario: Scenario) -> Iterator[str]:
    """Recommendations without items, without events, or by a filter that means nothing."""
    settings, index = scenario.recommend, scenario.index
    if settings is None:
        return
    if settings.interactions not in scenario.data:
        yield unknown("recommend.interactions", settings.interactions, scenario.data)
        return
    events = scenario.data[settings.interactions]
    missing = [name for name in ("user", "item") if not getattr(events, name, None)]
    if missing or not isinstance(events, Records):
        yield (
            f"recommend.interactions: data.{settings.interactions} does not say who took what. Name its columns: "
            f"{', '.join(f'{name}: COLUMN' for name in missing)}."
        )
    if index is None:
        yield "recommend: there is no index whose items could be recommended. Add a section `index`."
        return
    if len(set(settings.models)) < len(settings.models):
        yield f"recommend.models: {', '.join(settings.models)} names one twice."
    if index.rows in scenario.data and settings.where is not None:
        try:
            parse_filter(settings.where, filter_columns(scenario, index.rows))
        except PolyloomError as error:
            yield f"recommend.where: {error}"
    if index.rows in scenario.data and settings.rank is not None:
        yield from rank_problems(settings.rank, column_kinds(scenario.data[index.rows]))


def rank_problems(settings: Rank, kinds: dict[str, str]) -> Iterator[str]:
    """Columns that are not there, or hold something else than their name in the section says."""
    for place, needed in RANK_KINDS.items():
        name = getattr(settings, place)
        if name is not None and name not in kinds:
            yield unknown(f"recommend.rank.{place}", name, kinds)
        elif name is not None and kinds[name] != needed:
            yield (
                f"recommend.rank.{place}: the column {name!r} is declared as {kinds[name]}; name one of kind {needed}."
            )


def answer_problems(scenario: Scenario) -> Iterator[str]:
    """Answers without questions to find, or without a column that holds them."""
    settings, index = scenario.answer, scenario.index
    if settings is None:
        return
    if index is None:
        yield "answer: there is no index in which answers could be found. Add a section `index`."
        return
    if index.rows not in scenario.data:
        return
    rows = scenario.data[index.rows]
    if settings.reads is None:
        yield from reply_problems(settings)
    else:
        yield from reading_problems(scenario, settings, settings.reads)
    if settings.reply is not None and settings.reply not in rows.column_names():
        yield unknown("answer.reply", settings.reply, rows.column_names())
    if settings.template is not None:
        try:
            parse_template(settings.template, columns=rows.column_names())
        except PolyloomError as error:
            yield f"answer.template: {error}"
    if settings.task is not None and settings.reads is None:
        yield from task_problems(scenario, settings.task)
    if not rows.text:
        yield f"answer: data.{index.rows} names no text that a question could be held against. Add `text: [COLUMN]`."


def task_problems(scenario: Scenario, name: str) -> Iterator[str]:
    """A task that does not say which answer fits a question."""
    task = scenario.tasks.get(name)
    if task is None:
        yield unknown("answer.task", name, scenario.tasks)
    elif not isinstance(task, Classification) or scenario.index is None or task.target != scenario.index.group:
        yield (
            f"answer.task: {name!r} must be a classification whose target is the column by which the index groups its "
            "items. Write `index: {group: COLUMN}` with the task's target, or leave `task` out."
        )


def filter_columns(scenario: Scenario, table: str) -> dict[str, str]:
    """The columns of a table that a filter may speak of, each with its kind."""
    return column_kinds(scenario.data[table])
