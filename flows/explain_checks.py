"""What must hold between `explain` and the rest of a scenario."""

from collections.abc import Iterator

from flows.source_checks import unknown
from flows.spec import Scenario
from flows.task_spec import FusedTask


def explained_tasks(scenario: Scenario) -> tuple[str, ...]:
    """The tasks of which a run explains answers: those named, else the gate's; none without the section."""
    if scenario.explain is None:
        return ()
    return scenario.explain.tasks or (scenario.gate.metric.partition(".")[0],)


def explain_problems(scenario: Scenario) -> Iterator[str]:
    """Tasks that are not there, or of a kind that has no explanation."""
    named = bool(scenario.explain and scenario.explain.tasks)
    for name in explained_tasks(scenario):
        task = scenario.tasks.get(name)
        if task is None and named:
            yield unknown("explain.tasks", name, scenario.tasks)
        elif task is not None and not isinstance(task, FusedTask):
            yield (
                f"explain: {name!r} is of kind {task.kind}; classification and regression are explained. Leave the "
                "section out, or name such tasks under explain.tasks."
            )
