"""Which table a task learns from, which modalities it reads, and which columns these are."""

from flows.modality_spec import Category, Characters, Image, Number, Text
from flows.source_spec import Rows
from flows.spec import Scenario

AnyModality = Image | Text | Characters | Number | Category
# The column of words where a source names no other.
WORDS = "tokens"


def task_rows(scenario: Scenario) -> str:
    """The table of the tasks that name none: `rows`, else the only one that declares all their targets."""
    if scenario.rows is not None:
        return scenario.rows
    without = [task for task in scenario.tasks.values() if task.rows is None]
    if not without:
        return next(task.rows for task in scenario.tasks.values() if task.rows)
    targets = {task.target for task in without if task.target}
    fitting = [name for name, given in scenario.data.items() if targets and targets <= set(given.columns)]
    return fitting[0] if len(fitting) == 1 else next(iter(scenario.data)) if len(scenario.data) == 1 else ""


def table_of(scenario: Scenario, task: str) -> str:
    """The table whose rows a task learns from."""
    return scenario.tasks[task].rows or task_rows(scenario)


def task_tables(scenario: Scenario) -> tuple[str, ...]:
    """The tables that the tasks learn from, in the order of the tasks."""
    return tuple(dict.fromkeys(table_of(scenario, task) for task in scenario.tasks))


def task_inputs(scenario: Scenario, task: str) -> tuple[str, ...]:
    """The modalities that a task reads: those it names, else all; of several tables, all that its own one has."""
    if scenario.tasks[task].inputs:
        return scenario.tasks[task].inputs
    if len(task_tables(scenario)) == 1:
        return tuple(scenario.modalities)
    rows = scenario.data[table_of(scenario, task)]
    return tuple(
        name
        for name, modality in scenario.modalities.items()
        if set(modality_columns(modality, name, rows)) & rows.column_names()
    )


def span_columns(scenario: Scenario, task: str) -> tuple[str, str]:
    """The columns of question and context that a span task reads."""
    (name,) = task_inputs(scenario, task)
    question, context = modality_columns(scenario.modalities[name], name, scenario.data[table_of(scenario, task)])
    return question, context


def contrastive_tasks(scenario: Scenario, name: str) -> list[str]:
    """The tasks whose labels an encoder can learn from: classes, one a row, that are told from its modality."""
    return [
        task
        for task, settings in scenario.tasks.items()
        if settings.kind == "classification"
        and scenario.data[table_of(scenario, task)].columns.get(settings.target) == "category"
        and name in task_inputs(scenario, task)
    ]


def columns_over_tables(scenario: Scenario, name: str) -> tuple[str, ...]:
    """The columns that a modality reads, over all tables that are embedded."""
    index = [scenario.index.rows] if scenario.index else []
    read_before = scenario.pretrain[name].rows if name in scenario.pretrain else ()
    found = [
        column
        for table in dict.fromkeys([*task_tables(scenario), *index, *read_before])
        for column in modality_columns(scenario.modalities[name], name, scenario.data[table])
        if column in scenario.data[table].column_names()
    ]
    return tuple(dict.fromkeys(found))


def modality_columns(modality: AnyModality, name: str, rows: Rows) -> tuple[str, ...]:
    """The columns of a table that a modality reads."""
    if isinstance(modality, Image):
        return (rows.image,) if rows.image else ()
    if isinstance(modality, Text) and modality.form == "words" and WORDS in rows.columns:
        return modality.columns or rows.text or (WORDS,)
    if isinstance(modality, Text | Characters):
        return modality.columns or rows.text
    return modality.columns or (name,)


def paired_lists(scenario: Scenario, table: str) -> tuple[str, ...]:
    """The columns of a table that hold lists of texts, each of which an alignment task pairs by itself."""
    rows = scenario.data[table]
    found = [
        column
        for task, settings in scenario.tasks.items()
        if settings.kind == "alignment" and table_of(scenario, task) == table
        for name in task_inputs(scenario, task)
        for column in modality_columns(scenario.modalities[name], name, rows)
        if rows.columns.get(column) == "labels"
    ]
    return tuple(dict.fromkeys(found))


def read_tables(scenario: Scenario) -> dict[str, tuple[str, ...]]:
    """The tables that are embedded, each with the modalities that are read from it."""
    if len(task_tables(scenario)) == 1:
        (own,) = task_tables(scenario)
        read = {own: tuple(scenario.modalities)}
        if scenario.index and scenario.index.rows != own:
            # A text pair, say, is read of the task's rows alone.
            embedded = {*scenario.index.embed, *scenario.index.align.values()}
            read[scenario.index.rows] = tuple(name for name in scenario.modalities if name in embedded)
        return {table: names for table, names in read.items() if table in scenario.data}
    found: dict[str, tuple[str, ...]] = {}
    for task in scenario.tasks:
        known = tuple(name for name in task_inputs(scenario, task) if name in scenario.modalities)
        table = table_of(scenario, task)
        found[table] = tuple(dict.fromkeys([*found.get(table, ()), *known]))
    return found


def step_columns(scenario: Scenario, table: str) -> tuple[str, ...]:
    """The column of a table that says in which step a row arrived, where the recipe learns in such steps."""
    continual = scenario.recipe.continual
    if continual is None or not isinstance(continual.steps, str) or table not in task_tables(scenario):
        return ()
    return (continual.steps,)
