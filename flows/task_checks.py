"""What must hold between tasks, their targets and what they read."""

from collections.abc import Iterator, Mapping

from flows.modality_spec import Text
from flows.scenario_columns import modality_columns, table_of, task_inputs
from flows.source_checks import column_kinds, unknown
from flows.source_spec import Rows
from flows.spec import Scenario
from flows.task_spec import Classification

# What a task of each kind can learn from, as column kinds and in words.
TARGET_KINDS = {
    "classification": ({"category", "labels"}, "classes are category or labels"),
    "regression": ({"number"}, "a regression learns from numbers"),
    "token_classification": ({"tokens"}, "entities are learned from tokens, a tag for each word"),
    "relation": ({"category"}, "relations are category"),
    "detection": ({"boxes"}, "a detector learns from boxes"),
    "span": ({"labels"}, "answers are labels: a list of the accepted ones, empty where there is no answer"),
}
WORD_KINDS = {"tokens", "text", "category"}


def task_problems(scenario: Scenario) -> Iterator[str]:
    """Targets and inputs that are not there, and inputs that would give the answer away."""
    for name, task in scenario.tasks.items():
        rows = scenario.data[table_of(scenario, name)]
        yield from target_problems(name, task.kind, task.target, rows)
        if isinstance(task, Classification) and task.loss == "focal":
            yield from focal_problems(scenario, name, task)
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


def focal_problems(scenario: Scenario, name: str, task: Classification) -> Iterator[str]:
    """What a focal loss does not go with."""
    if task.hierarchy and task.hierarchy_loss != "none":
        yield (
            f"tasks.{name}.loss: focal and hierarchy_loss {task.hierarchy_loss!r} each stand instead of cross-entropy. "
            "Write `hierarchy_loss: none`, or leave `loss` out."
        )
    if scenario.recipe.label_smoothing:
        yield (
            f"tasks.{name}.loss: focal takes a row's label as it is, and recipe.label_smoothing is "
            f"{scenario.recipe.label_smoothing:g}. Leave one of them out."
        )


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
