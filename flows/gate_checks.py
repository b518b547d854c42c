"""What must hold for the section `gate`."""

from collections.abc import Iterator

from flows.cost_assembly import cost_metrics
from flows.scenario_columns import table_of, task_inputs
from flows.source_checks import unknown
from flows.spec import Scenario
from heads.decoders import metrics_of


def gate_problems(scenario: Scenario) -> Iterator[str]:
    """A metric, a column or a modality that the gate cannot judge by."""
    yield from metric_problems(scenario)
    if scenario.gate.metric.partition(".")[0] in scenario.tasks:
        yield from slice_problems(scenario)
        yield from limit_problems(scenario)


def slice_problems(scenario: Scenario) -> Iterator[str]:
    """A column that the task's table does not have."""
    table = table_of(scenario, scenario.gate.metric.partition(".")[0])
    if table in scenario.data:
        columns = scenario.data[table].column_names()
        for column in scenario.gate.slices:
            if column not in columns:
                yield unknown("gate.slices", column, columns)


def limit_problems(scenario: Scenario) -> Iterator[str]:
    """A loss without a modality that the task does not read, or that is all it reads."""
    task = scenario.gate.metric.partition(".")[0]
    inputs = task_inputs(scenario, task)
    for name in scenario.gate.limits.missing_loss:
        if name not in inputs:
            yield unknown("gate.limits.missing_loss", name, inputs)
        elif len(inputs) == 1:
            yield (
                f"gate.limits.missing_loss: {task!r} reads {name!r} alone, so that nothing can be answered without it. "
                "Leave the limit out."
            )


def metric_problems(scenario: Scenario) -> Iterator[str]:
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
