"""What a release says of the gate's rows, now and by the same code whichever release it is."""

from typing import NamedTuple

import numpy as np

from flows.stages.encoders import embed_values
from flows.stages.job import Job, modality_values
from flows.target_assembly import target_values
from heads.decoder import Decoder, Outputs, Truth
from heads.metrics import expected_calibration_error
from polyloom.durable import json_digest
from polyloom.errors import IntegrityError, RequestError
from polyloom.progress import Progress
from releases.registry import Registered
from releases.runtime import Runtime

Row = dict[str, object]


class Scored(NamedTuple):
    """What a release says of the rows: `truth` and `predicted` comparable, its outputs, and its calibration error."""

    truth: np.ndarray
    predicted: np.ndarray
    calibration_error: float | None


class Trial(NamedTuple):
    """What is judged: the gate's task, its metric, the rows of its test split and what is true of them."""

    task: str
    metric: str
    rows: list[Row]
    values: list[object]

    @property
    def digest(self) -> str:
        """What says that others were judged on the very same rows."""
        return json_digest([[str(row["_key"]), bytes(row["_hash"]).hex()] for row in self.rows])  # type: ignore[call-overload]


def trial_of(job: Job) -> Trial:
    """What the scenario's gate judges by."""
    task, _, metric = job.scenario.gate.metric.partition(".")
    rows = [job.task_rows[number] for number in job.split("test", task=task)]
    return Trial(task, metric, rows, target_values(job.scenario, task, rows))


def champion_scored(
    champion: Registered | None, trial: Trial, *, decoder: Decoder, progress: Progress
) -> Scored | None:
    """The champion's predictions in the challenger's numbers, or None where there is no champion that could answer."""
    if champion is None:
        return None
    named = f"the champion, version {champion.version},"
    try:
        runtime = Runtime.open(champion.path, digest=champion.digest)
        if trial.task not in runtime.heads:
            progress.log(f"{named} has no task {trial.task!r}: nothing to compare with")
            return None
        known = runtime.heads[trial.task].decoder
        if known.kind != decoder.kind:
            progress.log(
                f"{named} solves {trial.task!r} as {known.kind}, not as {decoder.kind}: nothing to compare with"
            )
            return None
        found = scored(runtime, trial, progress=progress)
        return found._replace(predicted=decoder.translated(found.predicted, given_by=known))
    except (IntegrityError, RequestError) as error:
        progress.log(f"{named} cannot answer these rows: {error}")
        return None


def scored(runtime: Runtime, trial: Trial, *, progress: Progress) -> Scored:
    """Truth and a release's predictions as its own decoder makes them comparable."""
    decoder = runtime.heads[trial.task].decoder
    outputs, known = outputs_of(runtime, trial, progress=progress), decoder.encode(trial.values)
    truth, predicted = decoder.comparable(outputs, known)
    return Scored(truth, predicted, calibration_error(decoder, outputs, known))


def calibration_error(decoder: Decoder, outputs: Outputs, truth: Truth) -> float | None:
    """How far probabilities are from the shares that are right; None for a task that gives none."""
    certainty = getattr(decoder, "certainty", None)
    if certainty is None:
        return None
    sure, right = certainty(outputs, truth)
    return float(expected_calibration_error(sure, right)) if len(sure) else None


def outputs_of(runtime: Runtime, trial: Trial, *, progress: Progress) -> dict[str, np.ndarray]:
    """A release's outputs for rows; pooled embeddings come from the cache."""
    head = runtime.heads[trial.task]
    if not head.pooled:
        return runtime.outputs(trial.rows, tasks=[trial.task])[0][trial.task]
    embeddings, present = {}, {}
    for name in head.inputs:
        given = modality_values(runtime.preparations[name], trial.rows)
        report = embed_values(
            given,
            preparation=runtime.preparations[name],
            encoder=runtime.encoders[name],
            name=name,
            progress=progress,
        )
        embeddings[name], present[name] = report.vectors, given.present
    return head(embeddings, present)
