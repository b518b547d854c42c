"""What must hold for rows that are learned in steps."""

from collections.abc import Iterator

from flows.continual_spec import Continual
from flows.modality_spec import Image, Text
from flows.scenario_columns import table_of
from flows.source_checks import unknown
from flows.spec import Scenario
from flows.task_spec import Classification

PLACE = "recipe.continual"
OF_REPLAY = {"memory", "memory_of"}
STEP_KINDS = {"category", "number", "time"}


def continual_problems(scenario: Scenario) -> Iterator[str]:
    """Steps that cannot be told, tasks that cannot be learned in steps, and what would look ahead."""
    continual = scenario.recipe.continual
    if continual is None:
        return
    (name, *others), task = scenario.tasks, next(iter(scenario.tasks.values()))
    if others or not isinstance(task, Classification):
        yield (
            f"{PLACE}: is for one task of kind classification; here are {len(scenario.tasks)} task(s), the first of "
            f"kind {task.kind}. Leave continual out, or the other tasks."
        )
        return
    rows = scenario.data[table_of(scenario, name)]
    if rows.columns.get(task.target) == "labels":
        yield f"{PLACE}: is for one label a row, and {task.target!r} holds lists of labels. Leave continual out."
    if isinstance(continual.steps, str):
        known = [column for column, kind in rows.columns.items() if kind in STEP_KINDS]
        if continual.steps not in known:
            yield unknown(f"{PLACE}.steps", continual.steps, known)
    yield from meaningless(continual)
    yield from beside_steps(scenario, name, task)
    yield from strategies_in_steps(scenario)


def meaningless(continual: Continual) -> Iterator[str]:
    """Keys that are of another kind."""
    given = continual.model_fields_set
    for key in sorted(given & OF_REPLAY if continual.kind != "replay" else ()):
        yield f"{PLACE}.{key}: only replay keeps rows. Leave it out, or write `kind: replay`."
    if continual.kind == "naive" and continual.weight is not None:
        yield f"{PLACE}.weight: means nothing to naive, which holds on to nothing. Leave it out."


def beside_steps(scenario: Scenario, name: str, task: Classification) -> Iterator[str]:
    """What needs all labels or rows before the first step, or changes rows that are held to what was said of them."""
    recipe = scenario.recipe
    for place, used in (
        (f"tasks.{name}.head: prototypes", task.head == "prototypes"),
        (f"tasks.{name}.zero_shot", task.zero_shot is not None),
        (f"tasks.{name}.costs", bool(task.costs)),
        (f"tasks.{name}.hierarchy", bool(task.hierarchy)),
        ("pretrain", bool(scenario.pretrain)),
    ):
        if used:
            yield f"{PLACE}: {place} looks at labels or rows of steps that are yet to come. Drop one of the two."
    for key in ("mix", "adversarial", "ensemble", "average", "distill", "prune"):
        if getattr(recipe, key) is not None:
            yield f"{PLACE}: goes without recipe.{key}. Drop one of the two."


def strategies_in_steps(scenario: Scenario) -> Iterator[str]:
    """Strategies whose weights no next step could begin from."""
    trained = {
        f"modalities.{name}.train": modality.train
        for name, modality in scenario.modalities.items()
        if isinstance(modality, Image | Text) and modality.train is not None
    }
    for place, strategy in {"recipe.strategy": scenario.recipe.strategy, **trained}.items():
        if strategy not in {"frozen", "full"}:
            yield f"{place}: {strategy} does not go with {PLACE}. Write frozen or full."
