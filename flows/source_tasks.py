"""The task that reads sources, for every flow: it is tried again when a source did not answer."""

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from flows.flaky import is_flaky
from flows.scenario_file import load_data_scenario
from flows.stages.ingest import ingest, snapshot_summary
from flows.task_progress import Report, shown, timed

RETRIES = 3
FIRST_PAUSE_SECONDS = 10


def may_pass(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a task that failed is tried again: a source that did not answer may, wrong content will not."""
    return isinstance(state.data, BaseException) and is_flaky(state.data)


@task(
    name="take_snapshot",
    cache_policy=NO_CACHE,
    retries=RETRIES,
    retry_delay_seconds=exponential_backoff(FIRST_PAUSE_SECONDS),
    retry_jitter_factor=0.5,
    retry_condition_fn=may_pass,
)
def snapshot_task(scenario: str, overrides: list[str], journal: str) -> Report:
    """Sources to a snapshot."""
    with shown(journal) as progress:

        def work() -> Report:
            report = ingest(load_data_scenario(scenario, overrides=overrides), progress=progress)
            return {"folder": str(report.folder), "created": report.created, "data": snapshot_summary(report)}

        return timed(work)
