"""What must hold where a task answers by nearness: to its labels' own texts, or to prototypes."""

from collections.abc import Iterator

from flows.modality_spec import Text
from flows.scenario_columns import table_of, task_inputs
from flows.spec import Scenario
from flows.strategies import is_trained
from flows.task_spec import Classification
from flows.zero_shot import has_prototypes, is_zero_shot


def label_problems(scenario: Scenario, name: str, task: Classification) -> Iterator[str]:
    """Prototypes or labels' texts where a row has several labels, or where nothing reads such a text."""
    if not has_prototypes(task):
        return
    key = "head" if task.zero_shot is None else "zero_shot"
    if scenario.data[table_of(scenario, name)].columns.get(task.target) == "labels":
        yield f"tasks.{name}.{key}: the nearest label is one label, but {task.target!r} holds lists. Leave it out."
    if task.zero_shot is None:
        return
    if "{label}" not in task.zero_shot.template:
        yield (
            f"tasks.{name}.zero_shot.template: {task.zero_shot.template!r} has no place for the label. "
            "Write {label} where its name is to stand, such as 'This is about {label}.'"
        )
    read = task_inputs(scenario, name)
    modality = scenario.modalities.get(read[0]) if len(read) == 1 else None
    if not (isinstance(modality, Text) and modality.form in {"text", "entailment"}):
        yield (
            f"tasks.{name}.zero_shot: labels are told by texts, so exactly one text of form text or entailment is "
            f"read, here are {list(read)}. Name it in `inputs`."
        )
    elif is_zero_shot(task):
        yield from unfitted_problems(scenario, name, read[0])


def unfitted_problems(scenario: Scenario, name: str, read: str) -> Iterator[str]:
    """A task without a fit over an encoder that a fit changes, or alone on a table that a fit passes over."""
    if is_trained(scenario, read):
        yield (
            f"tasks.{name}.zero_shot: nothing is fitted for it, but the fit trains modalities.{read}, after which its "
            f"labels' embeddings would be another encoder's. Write `train: frozen` there, or `head: prototypes` here."
        )
    table = table_of(scenario, name)
    beside = [task for other, task in scenario.tasks.items() if table_of(scenario, other) == table]
    if all(is_zero_shot(task) for task in beside) and not all(is_zero_shot(task) for task in scenario.tasks.values()):
        yield (
            f"tasks.{name}.zero_shot: no other task learns from data.{table}, while tasks of other tables are fitted. "
            "Give it a scenario of its own."
        )
