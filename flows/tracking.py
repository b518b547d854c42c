"""One training run is one MLflow run, across tasks, retries and killed processes.

Every call names the run id; there is no active run, no autolog, and no model is logged.
"""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from polyloom.durable import locked
from polyloom.errors import RegistryError
from releases.mlflow_store import connect, is_server

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

PARAM_CHARACTERS = 6000  # MLflow's own limits
PARAMS_PER_CALL = 100
METRICS_PER_CALL = 1000
DATASET_DIGEST_CHARACTERS = 36

FINGERPRINT_TAG = "polyloom.fingerprint"
FLOW_RUN_TAG = "prefect.flow_run_id"
PROCESS_TAG = "polyloom.process"
REPLACED_TAG = "polyloom.replaced_by"

Status = Literal["FINISHED", "FAILED", "KILLED"]


class TrainingRun:
    """One MLflow run that whoever knows its id can go on with."""

    def __init__(self, client: "MlflowClient", run_id: str, *, is_new: bool = False) -> None:
        self.client = client
        self.run_id = run_id
        # A new run has no history, so that a first run asks MLflow for none.
        self._steps: dict[str, set[int]] | None = {} if is_new else None

    @classmethod
    def open(
        cls,
        *,
        tracking_uri: str,
        artifact_root: Path,
        scenario: str,
        fingerprint: str,
        flow_run_id: str | None,
        tags: Mapping[str, str],
    ) -> Self:
        """The run of this fingerprint: the one that did not finish or that this flow run made, else a new one.

        Of several, the oldest goes on and the others are closed as KILLED. An unfinished run of the same flow run
        with another fingerprint (the data changed between two tries) is closed too: it is another training run.
        Trials of one flow that run side by side therefore need a `flow_run_id` each.
        """
        client = connect(tracking_uri)
        names = _tags(fingerprint=fingerprint, flow_run_id=flow_run_id, tags=tags)
        with locked(artifact_root / f".{scenario}.lock"):
            experiment_id = _experiment(client, scenario, None if is_server(tracking_uri) else artifact_root)
            mine, stale = _candidates(client, experiment_id, fingerprint=fingerprint, flow_run_id=flow_run_id)
            if mine:
                run_id = mine[0].info.run_id
                client.update_run(run_id, status="RUNNING")
            else:
                name = f"{scenario}-{fingerprint[:8]}"
                run_id = client.create_run(experiment_id, tags=names, run_name=name).info.run_id
            run = cls(client, run_id, is_new=not mine)
            run.set_tags(names)
            _replace(client, [*mine[1:], *stale], by=run_id)
            _close_dead(client, experiment_id)
        return run

    @classmethod
    def attach(cls, *, tracking_uri: str, run_id: str) -> Self:
        """A run that another task opened."""
        return cls(connect(tracking_uri), run_id)

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log flat parameters; the tag `polyloom.params_cut` names those cut at MLflow's 6,000 characters.

        Raises:
            RegistryError: a parameter has another value already.
        """
        from mlflow.entities import Param

        values = {key: str(value) for key, value in params.items()}
        known = self.client.get_run(self.run_id).data.params
        new = {key: value[:PARAM_CHARACTERS] for key, value in values.items()}
        for key in new.keys() & known.keys():
            if new[key] != known[key]:
                raise RegistryError(
                    f"MLflow run {self.run_id}: the parameter {key!r} is {known[key]!r}, and now {new[key]!r} came. "
                    f"A run's parameters do not change: open a run with another fingerprint."
                )
        entries = [Param(key, value) for key, value in new.items() if key not in known]
        for batch in _batches(entries, PARAMS_PER_CALL):
            self.client.log_batch(self.run_id, params=batch)
        if cut := sorted(key for key, value in values.items() if len(value) > PARAM_CHARACTERS):
            self.set_tag("polyloom.params_cut", ", ".join(cut))

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Log figures of one step; what this run already holds for that step stays as it is."""
        from mlflow.entities import Metric

        milliseconds = int(time.time() * 1000)
        new = {key: float(value) for key, value in metrics.items() if step not in self._logged_steps(key)}
        entries = [Metric(key, value, milliseconds, step) for key, value in new.items()]
        for batch in _batches(entries, METRICS_PER_CALL):
            self.client.log_batch(self.run_id, metrics=batch)
        for key in new:
            self._logged_steps(key).add(step)

    def log_snapshot(self, *, scenario: str, snapshot_id: str, rows: int) -> None:
        """Name the data that the run learned from; the same snapshot twice is one entry."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        digest = snapshot_id[:DATASET_DIGEST_CHARACTERS]
        dataset = Dataset(scenario, digest, "polyloom", f"snapshot {snapshot_id}", profile=f'{{"num_rows": {rows}}}')
        self.client.log_inputs(self.run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
        self.set_tag("polyloom.snapshot", snapshot_id)

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Copy a file to the run's artifacts, into `folder`; one of the same name is replaced."""
        self.client.log_artifact(self.run_id, str(path), folder or None)

    def log_text(self, text: str, name: str) -> None:
        """Write a text to the run's artifacts under `name`, which may have folders."""
        self.client.log_text(self.run_id, text, name)

    def set_tag(self, key: str, value: str) -> None:
        """Set one tag, replacing its value."""
        self.client.set_tag(self.run_id, key, value)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set several tags in one step."""
        from mlflow.entities import RunTag

        self.client.log_batch(self.run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    def finish(self, status: Status = "FINISHED") -> None:
        """Close the run; opening the same fingerprint goes on with it unless it is FINISHED."""
        self.client.set_terminated(self.run_id, status)

    def _logged_steps(self, key: str) -> set[int]:
        if self._steps is None:
            known = self.client.get_run(self.run_id).data.metrics
            self._steps = {
                name: {point.step for point in self.client.get_metric_history(self.run_id, name)} for name in known
            }
        return self._steps.setdefault(key, set())


def _tags(*, fingerprint: str, flow_run_id: str | None, tags: Mapping[str, str]) -> dict[str, str]:
    flow = {FLOW_RUN_TAG: flow_run_id, "mlflow.source.type": "JOB"} if flow_run_id else {"mlflow.source.type": "LOCAL"}
    process = f"{socket.gethostname()} {os.getpid()}"
    return {"mlflow.source.name": "polyloom", **flow, **tags, FINGERPRINT_TAG: fingerprint, PROCESS_TAG: process}


def _experiment(client: "MlflowClient", scenario: str, artifact_root: Path | None) -> str:
    """The experiment's id; the caller holds the lock."""
    found = client.get_experiment_by_name(scenario)
    if found is None:
        location = (artifact_root.absolute() / scenario).as_uri() if artifact_root else None
        return str(client.create_experiment(scenario, artifact_location=location))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _candidates(
    client: "MlflowClient", experiment_id: str, *, fingerprint: str, flow_run_id: str | None
) -> tuple[list[Any], list[Any]]:
    """The runs to go on with, best first, and the unfinished ones that this flow run made for another fingerprint."""
    same = f"tags.`{FINGERPRINT_TAG}` = '{fingerprint}'"
    unfinished = [run for run in _runs(client, experiment_id, same) if run.info.status != "FINISHED"]
    if flow_run_id is None:
        return unfinished, []
    made_here = list(_runs(client, experiment_id, f"tags.`{FLOW_RUN_TAG}` = '{flow_run_id}'"))
    ours = [run for run in made_here if run.data.tags[FINGERPRINT_TAG] == fingerprint]
    others = [run for run in made_here if run not in ours and run.info.status != "FINISHED"]
    return [run for run in ours if run.info.status == "FINISHED"][:1] or unfinished, others


def _runs(client: "MlflowClient", experiment_id: str, condition: str) -> Iterator[Any]:
    """The experiment's runs that none replaced, oldest first."""
    token: str | None = None
    while True:
        page = client.search_runs([experiment_id], condition, order_by=["attributes.start_time ASC"], page_token=token)
        yield from (run for run in page if REPLACED_TAG not in run.data.tags)
        token = page.token
        if not token:
            return


def _replace(client: "MlflowClient", runs: list[Any], *, by: str) -> None:
    for run in runs:
        client.set_tag(run.info.run_id, REPLACED_TAG, by)
        client.set_terminated(run.info.run_id, "KILLED")


def _close_dead(client: "MlflowClient", experiment_id: str) -> None:
    """Close as FAILED what a killed process of this machine left RUNNING; its own fingerprint can still go on."""
    for run in _runs(client, experiment_id, "attributes.status = 'RUNNING'"):
        host, _, process = run.data.tags.get(PROCESS_TAG, "").partition(" ")
        if host == socket.gethostname() and process.isdigit() and not _is_alive(int(process)):
            client.set_terminated(run.info.run_id, "FAILED")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _batches(entries: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(entries), size):
        yield entries[start : start + size]
