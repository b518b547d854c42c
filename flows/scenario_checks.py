"""What must hold between the sections of a scenario: every name that is used is there."""

from collections.abc import Iterator
from zoneinfo import available_timezones

from flows.cron_expression import cron_mistake
from flows.source_checks import source_problems, unknown
from flows.spec import Category, Characters, DataScenario, Image, Number, Rows, Scenario, Text
from heads.metrics import SCORERS
from polyloom.errors import suggestion

AnyModality = Image | Text | Characters | Number | Category


def problems(scenario: Scenario) -> list[str]:
    """One sentence for each name that leads nowhere; empty when the scenario holds together."""
    if not scenario.data:
        return data_problems(scenario)
    if not scenario.modalities or not scenario.tasks:
        return ["modalities, tasks: there must be at least one of each."]
    if task_rows(scenario) not in scenario.data:
        return [ambiguous_rows(scenario)]
    return [
        *data_problems(scenario),
        *modality_problems(scenario),
        *task_problems(scenario),
        *index_problems(scenario),
        *gate_problems(scenario),
    ]


def data_problems(scenario: DataScenario) -> list[str]:
    """The problems of the data alone, and of its schedule."""
    if not scenario.data:
        return ["data: empty. Name at least one source of rows."]
    sources = [line for name in scenario.data for line in source_problems(name, scenario.data)]
    return [*sources, *schedule_problems(scenario)]


def task_rows(scenario: Scenario) -> str:
    """The table whose rows the tasks learn from: `rows`, else the only one that declares every target."""
    if scenario.rows is not None:
        return scenario.rows
    targets = {task.target for task in scenario.tasks.values()}
    fitting = [name for name, given in scenario.data.items() if targets <= set(given.columns)]
    return fitting[0] if len(fitting) == 1 else next(iter(scenario.data)) if len(scenario.data) == 1 else ""


def modality_columns(modality: AnyModality, name: str, rows: Rows) -> tuple[str, ...]:
    """The columns of a table that a modality reads."""
    if isinstance(modality, Image):
        return (rows.image,) if rows.image else ()
    if isinstance(modality, Text | Characters):
        return modality.columns or rows.text
    return modality.columns or (name,)


def ambiguous_rows(scenario: Scenario) -> str:
    """Which table the tasks learn from cannot be told."""
    if scenario.rows is not None:
        return unknown("rows", scenario.rows, scenario.data)
    declared = sorted({column for given in scenario.data.values() for column in given.columns})
    for name, task in scenario.tasks.items():
        if task.target not in declared:
            return unknown(f"tasks.{name}.target", task.target, declared)
    targets = ", ".join(sorted({task.target for task in scenario.tasks.values()}))
    return (
        f"rows: missing, and the targets ({targets}) do not tell which of {', '.join(scenario.data)} the tasks learn "
        f"from. Write for example `rows: {next(iter(scenario.data))}`."
    )


def modality_problems(scenario: Scenario) -> Iterator[str]:
    """Modalities that read columns which the rows do not have."""
    for table in {task_rows(scenario), *([scenario.index.rows] if scenario.index else [])} & set(scenario.data):
        rows = scenario.data[table]
        for name, modality in scenario.modalities.items():
            columns = modality_columns(modality, name, rows)
            if not columns:
                key = "image: COLUMN" if isinstance(modality, Image) else "text: [COLUMN]"
                yield f"modalities.{name}: data.{table} names no column for it to read. Add `{key}` to data.{table}."
            for column in columns:
                if column not in rows.column_names():
                    yield unknown(f"modalities.{name}.columns", column, rows.column_names())
                elif isinstance(modality, Number | Category) and rows.columns.get(column) != modality.kind:
                    yield (
                        f"modalities.{name}.columns: {column!r} is not declared as {modality.kind}. "
                        f"Write `{column}: {modality.kind}` under data.{table}.columns."
                    )


def task_problems(scenario: Scenario) -> Iterator[str]:
    """Targets and inputs that are not there, and inputs that would give the answer away."""
    rows = scenario.data[task_rows(scenario)]
    for name, task in scenario.tasks.items():
        if task.target not in rows.columns:
            yield unknown(f"tasks.{name}.target", task.target, rows.columns)
        elif rows.columns[task.target] not in {"category", "labels"}:
            kind = rows.columns[task.target]
            yield f"tasks.{name}.target: {task.target!r} is declared as {kind}; classes are category or labels."
        for given in task.inputs:
            if given not in scenario.modalities:
                yield unknown(f"tasks.{name}.inputs", given, scenario.modalities)
        for given in task.inputs or tuple(scenario.modalities):
            modality = scenario.modalities.get(given)
            if modality and task.target in modality_columns(modality, given, rows):
                yield f"tasks.{name}.inputs: {given!r} reads the target {task.target!r} itself; leave it out."


def index_problems(scenario: Scenario) -> Iterator[str]:
    """An index over rows, modalities or columns that are not there."""
    index = scenario.index
    if index is None:
        return
    if index.rows not in scenario.data:
        yield unknown("index.rows", index.rows, scenario.data)
        return
    columns = scenario.data[index.rows].column_names()
    group = [index.group] if index.group else []
    for place, given, known in (
        ("index.embed", index.embed, scenario.modalities),
        ("index.weights", index.weights, index.embed),
        ("index.show", index.show, columns),
        ("index.group", group, columns),
    ):
        yield from (unknown(place, name, known) for name in given if name not in known)


def gate_problems(scenario: Scenario) -> Iterator[str]:
    """A gate metric that is not `<task>.<metric>`."""
    task, dot, metric = scenario.gate.metric.partition(".")
    if not dot:
        near = f"{next(iter(scenario.tasks))}.{task if task in SCORERS else 'accuracy'}"
        yield f"gate.metric: {task!r} is not TASK.METRIC, such as {near!r}. Metrics: {', '.join(sorted(SCORERS))}."
    elif task not in scenario.tasks:
        yield unknown("gate.metric", task, scenario.tasks)
    elif metric not in SCORERS:
        yield unknown("gate.metric", metric, SCORERS)


def schedule_problems(scenario: DataScenario) -> Iterator[str]:
    """A schedule that no clock could follow."""
    monitor = scenario.monitor
    if monitor.schedule is not None:
        wrong = cron_mistake(monitor.schedule)
        if wrong:
            yield f"monitor.schedule: {wrong}"
    if monitor.timezone not in available_timezones():
        near = suggestion(monitor.timezone, available_timezones())
        yield f"monitor.timezone: {monitor.timezone!r} is not a time zone, such as 'Europe/Berlin' or 'UTC'.{near}"
