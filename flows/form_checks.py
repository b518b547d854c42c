"""What must hold between the forms of texts, their columns, their tasks and the index."""

from collections.abc import Iterator

from flows.modality_spec import Text
from flows.scenario_columns import modality_columns, read_tables, table_of, task_inputs
from flows.spec import Scenario
from flows.strategies import is_trained
from flows.task_spec import Classification, Span

# The form of the one text that these tasks read, and how many columns a text of that form has.
FORMS_READ = {"relation": "marked", "span": "pair"}
COLUMNS_OF_FORM = {"marked": (1, "one text with two marked stretches"), "pair": (2, "a question and its context")}
RANGE_ENDS = ("start of the first stretch", "its end", "start of the second stretch", "its end")


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
    if modality.form == "entailment":
        yield from entailment_problems(scenario, name, modality)
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
    if scenario.index and name in scenario.index.embed and modality.form in {*COLUMNS_OF_FORM, "entailment"}:
        yield f"index.embed: {name!r} has the form {modality.form}, which no words can be searched by; leave it out."


def entailment_problems(scenario: Scenario, name: str, modality: Text) -> Iterator[str]:
    """A model of inference that is to learn or to be cut, or whose task says nothing of its labels."""
    place = f"modalities.{name}"
    if is_trained(scenario, name):
        yield (
            f"{place}: a model of inference (form entailment) is read as it came, but the fit trains it. Write "
            "`train: frozen` there."
        )
    for key in ("layers", "vocabulary"):
        if getattr(modality, key) is not None:
            yield f"{place}.{key}: a model of inference (form entailment) is read as it came. Leave it out."
    for task, settings in scenario.tasks.items():
        if name not in task_inputs(scenario, task):
            continue
        told = settings.zero_shot.descriptions if isinstance(settings, Classification) and settings.zero_shot else {}
        if not told:
            yield (
                f"tasks.{task}: {name!r} has the form entailment, which holds a text against what is said of each "
                "label. Write `zero_shot: {descriptions: {LABEL: ...}}` for all labels."
            )
