"""What must hold between the sections of a scenario: every name that is used is there."""

from collections.abc import Iterator, Mapping
from zoneinfo import available_timezones

from flows.cost_assembly import cost_metrics
from flows.cron_expression import cron_mistake
from flows.modality_spec import Category, Characters, Image, Number, Text
from flows.source_checks import column_kinds, source_problems, unknown
from flows.source_spec import Rows
from flows.spec import DataScenario, Scenario
from flows.strategy_checks import strategy_problems
from flows.task_spec import FusedTask, Fusion, Span
from heads.decoders import metrics_of
from polyloom.errors import suggestion

AnyModality = Image | Text | Characters | Number | Category
# What a task of each kind can learn from, as column kinds and in words.
TARGET_KINDS = {
    "classification": ({"category", "labels"}, "classes are category or labels"),
    "regression": ({"number"}, "a regression learns from numbers"),
    "token_classification": ({"tokens"}, "entities are learned from tokens, a tag for each word"),
    "relation": ({"category"}, "relations are category"),
    "detection": ({"boxes"}, "a detector learns from boxes"),
    "span": ({"labels"}, "answers are labels: a list of the accepted ones, empty where there is no answer"),
}
# The column of words where a source names no other.
WORDS = "tokens"
WORD_KINDS = {"tokens", "text", "category"}
# The form of the one text that these tasks read, and how many columns a text of that form has.
FORMS_READ = {"relation": "marked", "span": "pair"}
COLUMNS_OF_FORM = {"marked": (1, "one text with two marked stretches"), "pair": (2, "a question and its context")}
RANGE_ENDS = ("start of the first stretch", "its end", "start of the second stretch", "its end")


def problems(scenario: Scenario) -> list[str]:
    """One sentence for each name that leads nowhere; empty when the scenario holds together."""
    if not scenario.data:
        return data_problems(scenario)
    if not scenario.modalities or not scenario.tasks:
        return ["modalities, tasks: there must be at least one of each."]
    lost = [
        unknown(f"tasks.{name}.rows", task.rows, scenario.data)
        for name, task in scenario.tasks.items()
        if task.rows is not None and task.rows not in scenario.data
    ]
    if lost:
        return lost
    if task_rows(scenario) not in scenario.data:
        return [ambiguous_rows(scenario)]
    return [
        *data_problems(scenario),
        *modality_problems(scenario),
        *task_problems(scenario),
        *form_problems(scenario),
        *strategy_problems(scenario),
        *fusion_problems(scenario),
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


def fusion_of(scenario: Scenario, task: str) -> Fusion:
    """How a task's modalities become one embedding: as it says itself, else as the scenario does."""
    settings = scenario.tasks[task]
    return (settings.fusion if isinstance(settings, FusedTask) else None) or scenario.fusion


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


def ambiguous_rows(scenario: Scenario) -> str:
    """Which table the tasks learn from cannot be told."""
    if scenario.rows is not None:
        return unknown("rows", scenario.rows, scenario.data)
    declared = sorted({column for given in scenario.data.values() for column in given.columns})
    for name, task in scenario.tasks.items():
        if task.target and task.target not in declared:
            return unknown(f"tasks.{name}.target", task.target, declared)
    targets = ", ".join(sorted({task.target for task in scenario.tasks.values()} - {""})) or "there are none"
    return (
        f"rows: missing, and the targets ({targets}) do not tell which of {', '.join(scenario.data)} the tasks learn "
        f"from. Write for example `rows: {next(iter(scenario.data))}`."
    )


def modality_problems(scenario: Scenario) -> Iterator[str]:
    """Modalities that read columns which the rows do not have."""
    for table, names in read_tables(scenario).items():
        for name in names:
            yield from column_problems(name, scenario.modalities[name], table, scenario.data[table])
    for name, modality in scenario.modalities.items():
        if isinstance(modality, Text) and modality.letters and modality.form != "words":
            yield f"modalities.{name}.letters: only words have letters. Write `form: words`, or leave `letters` out."
    if scenario.index and scenario.index.rows not in scenario.data:
        return
    for name, modality in scenario.modalities.items():
        if isinstance(modality, Image) and len(set(columns_over_tables(scenario, name))) > 1:
            yield (
                f"modalities.{name}: its tables call their picture {', '.join(columns_over_tables(scenario, name))}; "
                "one modality reads one column, so name them alike, or add a second modality."
            )


def column_problems(name: str, modality: AnyModality, table: str, rows: Rows) -> Iterator[str]:
    """Columns that a modality cannot read from a table."""
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
        elif isinstance(modality, Text) and modality.form == "text" and rows.columns.get(column) == "tokens":
            yield (
                f"modalities.{name}.columns: {column!r} is declared as tokens, a list of words. "
                f"Write `form: words` under modalities.{name}."
            )


def read_tables(scenario: Scenario) -> dict[str, tuple[str, ...]]:
    """The tables that are embedded, each with the modalities that are read from it."""
    if len(task_tables(scenario)) == 1:
        index = [scenario.index.rows] if scenario.index else []
        tables = dict.fromkeys([*task_tables(scenario), *index])
        return {table: tuple(scenario.modalities) for table in tables if table in scenario.data}
    found: dict[str, tuple[str, ...]] = {}
    for task in scenario.tasks:
        known = tuple(name for name in task_inputs(scenario, task) if name in scenario.modalities)
        table = table_of(scenario, task)
        found[table] = tuple(dict.fromkeys([*found.get(table, ()), *known]))
    return found


def task_problems(scenario: Scenario) -> Iterator[str]:
    """Targets and inputs that are not there, and inputs that would give the answer away."""
    for name, task in scenario.tasks.items():
        rows = scenario.data[table_of(scenario, name)]
        yield from target_problems(name, task.kind, task.target, rows)
        for given in task.inputs:
            if given not in scenario.modalities:
                yield unknown(f"tasks.{name}.inputs", given, scenario.modalities)
        read = task_inputs(scenario, name)
        if task.kind == "token_classification":
            yield from word_problems(scenario, name, read)
        if not read:
            yield f"tasks.{name}.inputs: no modality reads data.{table_of(scenario, name)}; add one, or other columns."
        for given in read:
            modality = scenario.modalities.get(given)
            if modality and task.target in modality_columns(modality, given, rows):
                yield f"tasks.{name}.inputs: {given!r} reads the target {task.target!r} itself; leave it out."


def target_problems(name: str, kind: str, target: str, rows: Rows) -> Iterator[str]:
    """A target that is not there, or of a kind that the task cannot learn from."""
    if kind not in TARGET_KINDS:
        return
    kinds, wanted = TARGET_KINDS[kind]
    if target not in rows.columns:
        yield unknown(f"tasks.{name}.target", target, rows.columns)
    elif rows.columns[target] not in kinds:
        yield f"tasks.{name}.target: {target!r} is declared as {rows.columns[target]}; {wanted}."


def word_problems(scenario: Scenario, task: str, read: tuple[str, ...]) -> Iterator[str]:
    """A task over words that does not read words, or from more than one modality."""
    known = [name for name in read if name in scenario.modalities]
    if len(known) > 1:
        yield f"tasks.{task}.inputs: {', '.join(known)} are read, but entities stand in one text. Name one of them."
        return
    for name in known:
        modality = scenario.modalities[name]
        if not isinstance(modality, Text):
            yield f"tasks.{task}.inputs: {name!r} is of kind {modality.kind}; entities are found by a text encoder."
        elif modality.form != "words":
            yield f"modalities.{name}.form: {modality.form!r} gives no words to tag. Write `form: words`."
        else:
            yield from word_column_problems(name, modality, table_of(scenario, task), scenario.data)


def word_column_problems(name: str, modality: Text, table: str, data: Mapping[str, Rows]) -> Iterator[str]:
    """Words to tag that do not stand in one column, or in one that holds no words."""
    columns = modality_columns(modality, name, data[table])
    if len(columns) > 1:
        yield f"modalities.{name}.columns: words to tag stand in one column, here are {list(columns)} of data.{table}."
        return
    kinds = column_kinds(data[table])
    for column in columns:
        if kinds.get(column, "text") not in WORD_KINDS:
            told = f"{column!r} is declared as {kinds[column]}"
            yield f"modalities.{name}.columns: {told}; words to tag are tokens or text."


def form_problems(scenario: Scenario) -> Iterator[str]:
    """Texts whose form does not fit their columns, their task, or the index."""
    for name, modality in scenario.modalities.items():
        if isinstance(modality, Text):
            yield from text_form_problems(scenario, name, modality)
    for name, task in scenario.tasks.items():
        form = FORMS_READ.get(task.kind)
        if form is None:
            continue
        read = task_inputs(scenario, name)
        forms = [getattr(scenario.modalities.get(given), "form", None) for given in read]
        if forms != [form]:
            yield (
                f"tasks.{name}.inputs: a {task.kind} reads exactly one text of form {form}, here are {list(read)}. "
                f"Name it in `inputs`, and give it `form: {form}`."
            )
        if isinstance(task, Span) and task.start is not None:
            columns = scenario.data[table_of(scenario, name)].columns
            if columns.get(task.start) != "number":
                yield f"tasks.{name}.start: {task.start!r} is not declared as number."


def text_form_problems(scenario: Scenario, name: str, modality: Text) -> Iterator[str]:
    """A pair that is not two columns, ranges that are not four numbers, an index over what nobody can ask."""
    place = f"modalities.{name}"
    for table, names in read_tables(scenario).items():
        if name not in names or modality.form not in COLUMNS_OF_FORM:
            continue
        rows = scenario.data[table]
        columns = modality_columns(modality, name, rows)
        wanted, told = COLUMNS_OF_FORM[modality.form]
        if len(columns) != wanted:
            yield f"{place}.columns: form {modality.form} reads {told}, here are {list(columns)} of data.{table}."
        numbers = [column for column in modality.ranges if rows.columns.get(column) == "number"]
        if modality.ranges and len(numbers) != len(RANGE_ENDS):
            yield (
                f"{place}.ranges: {list(modality.ranges)} are not four columns of kind number in data.{table}: "
                f"{', '.join(RANGE_ENDS)}."
            )
    if scenario.index and name in scenario.index.embed and modality.form in COLUMNS_OF_FORM:
        yield f"index.embed: {name!r} has the form {modality.form}, which no words can be searched by; leave it out."


def fusion_problems(scenario: Scenario) -> Iterator[str]:
    """A width that attention heads cannot share."""
    own = {
        f"tasks.{name}.fusion": task.fusion
        for name, task in scenario.tasks.items()
        if isinstance(task, FusedTask) and task.fusion
    }
    for place, fusion in {"fusion": scenario.fusion, **own}.items():
        heads = fusion.attention_heads
        if fusion.kind == "cross_attention" and fusion.hidden % heads:
            yield (
                f"{place}.hidden: {fusion.hidden} cannot be shared evenly by {heads} attention heads; "
                f"give a multiple of {heads}, such as {32 * heads}."
            )


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
    first = next(iter(scenario.tasks))
    if not dot:
        metrics = metrics_of_task(scenario, first)
        near = f"{first}.{task if task in metrics else metrics[0]}"
        yield f"gate.metric: {task!r} is not TASK.METRIC, such as {near!r}. Metrics: {', '.join(sorted(metrics))}."
    elif task not in scenario.tasks:
        yield unknown("gate.metric", task, scenario.tasks)
    elif metric not in (metrics := metrics_of_task(scenario, task)):
        yield unknown("gate.metric", metric, metrics)


def metrics_of_task(scenario: Scenario, task: str) -> tuple[str, ...]:
    """The metrics that a gate may name for a task."""
    settings = scenario.tasks[task]
    return (*metrics_of(settings.kind), *cost_metrics(settings))


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
