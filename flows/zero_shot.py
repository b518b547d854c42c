"""Which tasks answer by what their labels say, and which texts speak for a label."""

from flows.scenario_columns import task_inputs
from flows.spec import Scenario
from flows.task_spec import Alignment, AnyTask, Classification, ZeroShot
from heads.label_words import label_words


def is_zero_shot(settings: AnyTask) -> bool:
    """Whether a task answers by its labels' own texts alone, so that there is nothing to fit."""
    return isinstance(settings, Classification) and settings.zero_shot is not None and settings.head == "linear"


def has_prototypes(settings: AnyTask) -> bool:
    """Whether a task's classes are prototypes, learned or not."""
    return isinstance(settings, Classification) and (settings.zero_shot is not None or settings.head == "prototypes")


def is_solved(settings: AnyTask) -> bool:
    """Whether a task's head is found in closed form, so that no step changes it."""
    return isinstance(settings, Alignment) and settings.method == "canonical"


def learns_nothing(scenario: Scenario) -> bool:
    """Whether no task of a scenario is fitted step by step."""
    return all(is_zero_shot(settings) or is_solved(settings) for settings in scenario.tasks.values())


def hypotheses_of(scenario: Scenario, name: str) -> tuple[str, ...]:
    """What a text of form entailment is held against: all that is said of labels by the tasks that read it."""
    told = [
        text
        for task, settings in scenario.tasks.items()
        if isinstance(settings, Classification) and settings.zero_shot and name in task_inputs(scenario, task)
        for label in settings.zero_shot.descriptions
        for text in label_texts(settings.zero_shot, label)
    ]
    return tuple(dict.fromkeys(told))


def label_texts(settings: ZeroShot, label: str) -> tuple[str, ...]:
    """The texts that speak for a label: its descriptions, else its name in words in the template."""
    given = settings.descriptions.get(label)
    if given is None:
        return (settings.template.replace("{label}", label_words(label)),)
    return (given,) if isinstance(given, str) else given
