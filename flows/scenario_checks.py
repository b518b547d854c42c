"""What must hold between the sections of a scenario: every name that is used is there."""

from collections.abc import Iterator
from zoneinfo import available_timezones

from flows.attack_checks import attack_problems
from flows.augment_checks import augment_problems
from flows.average_checks import average_problems, consistency_problems
from flows.compress_checks import compress_problems
from flows.continual_checks import continual_problems
from flows.cron_expression import cron_mistake
from flows.ensemble_checks import ensemble_problems
from flows.explain_checks import explain_problems
from flows.form_checks import form_problems
from flows.gate_checks import gate_problems
from flows.index_checks import index_problems
from flows.mix_checks import mix_problems
from flows.modality_checks import modality_problems
from flows.notify_checks import notify_problems
from flows.scenario_columns import task_rows
from flows.source_checks import source_problems, unknown
from flows.spec import DataScenario, Scenario
from flows.strategy_checks import strategy_problems
from flows.task_checks import task_problems
from flows.task_spec import FusedTask
from flows.use_checks import use_problems
from polyloom.errors import suggestion


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
        *use_problems(scenario),
        *gate_problems(scenario),
        *attack_problems(scenario),
        *explain_problems(scenario),
        *mix_problems(scenario),
        *augment_problems(scenario),
        *average_problems(scenario),
        *consistency_problems(scenario),
        *continual_problems(scenario),
        *ensemble_problems(scenario),
        *compress_problems(scenario),
    ]


def data_problems(scenario: DataScenario) -> list[str]:
    """The problems of the data alone, and of its schedule."""
    if not scenario.data:
        return ["data: empty. Name at least one source of rows."]
    sources = [line for name in scenario.data for line in source_problems(name, scenario.data)]
    return [*sources, *schedule_problems(scenario), *notify_problems(scenario)]


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
