"""A bundle to a release: registered, judged against the champion on the same rows, and promoted if it passes."""

import getpass
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from flows.stages.encoders import embed_values
from flows.stages.job import Job, modality_values
from heads.metrics import SCORERS
from polyloom.errors import IntegrityError, RegistryError, RequestError
from polyloom.home import home
from polyloom.progress import Progress
from polyloom.version import code_version
from releases.gate import Verdict, judge
from releases.promotion import Change
from releases.registry import Registered, Registry
from releases.runtime import Runtime

ATTEMPTS = 3


def registry(tracking_uri: str) -> Registry:
    """The registry of this state folder."""
    return Registry(tracking_uri, home() / "ledger")


def release(job: Job, packaged: dict[str, Any], *, tracking_uri: str, progress: Progress) -> dict[str, Any]:
    """Register the bundle, pass it through the gate, and promote it. Reports version, alias and verdict."""
    store = registry(tracking_uri)
    digest, folder = packaged["digest"], Path(packaged["folder"])
    tags = {"polyloom.snapshot": job.ref["data"]["id"], "polyloom.code": code_version()}
    if job.ref["flow_run_id"]:
        tags["prefect.flow_run_id"] = job.ref["flow_run_id"]
    with progress.stage("gate", total=None, unit="rows") as bar:
        version = store.register(job.scenario.name, folder, digest, job.ref["run_id"], tags)
        for attempt in range(ATTEMPTS):
            champion = current_champion(store, job.scenario.name)
            taken_back = store.withdrawn(job.scenario.name, version)
            verdict = refusal(job, taken_back) if taken_back else pass_gate(job, folder, champion, progress=progress)
            bar.say(verdict.reason)
            if not verdict.passed:
                break
            expected = None if champion is None else champion.version
            why = f"gate {verdict.metric}: {verdict.reason}"
            try:
                who = getpass.getuser()
                store.promote(job.scenario.name, version, expected=expected, who=who, why=why, action="gate")
                break
            except RegistryError:
                # Another run promoted meanwhile: judge again, against that one.
                if attempt == ATTEMPTS - 1:
                    raise
    aliases = store.resolve(job.scenario.name, version).aliases
    alias = "champion" if "champion" in aliases else "candidate"
    return {"version": version, "digest": digest, "alias": alias, "passed": verdict.passed, "verdict": asdict(verdict)}


def refusal(job: Job, taken_back: Change) -> Verdict:
    """The verdict on a release that a person took back: no figure outweighs that."""
    gate = job.scenario.gate
    name, version = job.scenario.name, taken_back.against
    reason = (
        f"Version {version} was champion until {taken_back.who} put version {taken_back.version} in its place on "
        f"{taken_back.at:%Y-%m-%d %H:%M} UTC ({taken_back.why}); no run promotes it again. "
        f"If it should be champion: `polyloom promote {name} {version}`."
    )
    return Verdict(
        passed=False,
        reason=reason,
        metric=gate.metric,
        rows=0,
        rule=gate.rule,
        margin=gate.margin,
        minimum=gate.minimum,
    )


def current_champion(store: Registry, scenario: str) -> Registered | None:
    """The champion, or None before the first."""
    try:
        return store.resolve(scenario)
    except RequestError:
        return None


def pass_gate(job: Job, bundle: Path, champion: Registered | None, *, progress: Progress) -> Verdict:
    """Score challenger and champion now, by the same code, on the challenger's test rows."""
    gate = job.scenario.gate
    task, _, metric = gate.metric.partition(".")
    rows = [job.rows(job.task_table)[number] for number in job.split("test")]
    runtime = Runtime.open(bundle)
    decoder = runtime.heads[task].decoder
    truth = decoder.encode([row[job.scenario.tasks[task].target] for row in rows])
    challenger = predicted(runtime, task, rows, labels=decoder.labels, progress=progress)
    other = champion_answers(champion, task, rows, labels=decoder.labels, progress=progress)
    return judge(
        metric=gate.metric,
        scorer=SCORERS[metric],
        truth=truth,
        challenger=challenger,
        champion=other,
        rule=gate.rule,
        margin=gate.margin,
        minimum=gate.minimum,
        seed=job.scenario.recipe.seed,
    )


def champion_answers(
    champion: Registered | None,
    task: str,
    rows: list[dict[str, object]],
    *,
    labels: tuple[str, ...],
    progress: Progress,
) -> np.ndarray | None:
    """The champion's answers, or None where there is no champion that could answer."""
    if champion is None:
        return None
    try:
        runtime = Runtime.open(champion.path, digest=champion.digest)
        if task not in runtime.heads:
            progress.log(f"the champion, version {champion.version}, has no task {task!r}: nothing to compare with")
            return None
        return predicted(runtime, task, rows, labels=labels, progress=progress)
    except (IntegrityError, RequestError) as error:
        progress.log(f"the champion, version {champion.version}, cannot answer these rows: {error}")
        return None


def predicted(
    runtime: Runtime, task: str, rows: list[dict[str, object]], *, labels: tuple[str, ...], progress: Progress
) -> np.ndarray:
    """A release's answers as numbers of `labels` [rows] (-2 for another label), or for multilabel a mask."""
    head = runtime.heads[task]
    embeddings, present = {}, {}
    for name in head.inputs:
        given = modality_values(runtime.preparations[name], rows)
        report = embed_values(
            given,
            preparation=runtime.preparations[name],
            encoder=runtime.encoders[name],
            name=name,
            progress=progress,
        )
        embeddings[name], present[name] = report.vectors, given.present
    decided = head.decoder.decide(head.decoder.probabilities(head(embeddings, present)))
    places = {label: number for number, label in enumerate(labels)}
    if head.decoder.kind != "multilabel":
        translation = np.array([places.get(label, -2) for label in head.decoder.labels])
        return np.asarray(translation[decided])
    mask = np.zeros((len(rows), len(labels)), dtype=bool)
    for number, label in enumerate(head.decoder.labels):
        if label in places:
            mask[:, places[label]] = decided[:, number]
    return mask
