"""The flow from sources to a released champion. One flow run is one MLflow run."""

import json
import os
from pathlib import Path
from typing import Any, get_args

from prefect import flow
from prefect.runtime import flow_run

from flows import settings, tasks
from flows.continual_report import step_figures
from flows.ensemble_report import member_figures
from flows.journal import Journal, journal_path
from flows.ladder_report import ladder_end, ladder_figures
from flows.scenario_file import LoadedScenario, load_scenario
from flows.source_tasks import snapshot_task
from flows.stages.explain import REPORT
from flows.stages.job import Job, JobRef
from flows.stages.variants import variants_asked
from flows.tracking import TrainingRun
from flows.unchanged import deciding, recall, remember, request_digest
from flows.validation import check_before_work
from heads.robustness import Harm
from polyloom.durable import json_digest, locked
from polyloom.home import home
from polyloom.version import code_version

Result = dict[str, Any]
PARAMETER_CHARACTERS = 500


@flow(name="train")
def train(scenario: str, overrides: list[str] | None = None) -> Result:
    """Ingest, fit, calibrate, export, index, release. A run that was killed goes on where it stopped."""
    settings.apply()
    loaded = load_scenario(scenario, overrides=overrides or [])
    name = loaded.scenario.name
    flow_run_id = str(flow_run.get_id() or "")
    with (
        Journal(journal_path(home(), name, flow_run_id or f"local-{os.getpid()}")) as journal,
        locked(home() / "locks" / f"run-{name}", waiting=lambda: journal.log("waiting for another run to end")),
    ):
        request = request_digest(loaded)
        known = recall(name, request)
        if known is not None:
            return note_unchanged(loaded, known, flow_run_id=flow_run_id)
        check_before_work(loaded)
        result = run_stages(loaded, overrides or [], journal=journal, flow_run_id=flow_run_id)
        remember(name, request, result)
        return result


def run_stages(loaded: LoadedScenario, overrides: list[str], *, journal: Journal, flow_run_id: str) -> Result:
    """Every stage as a Prefect task."""
    scenario, uri = str(loaded.path), os.environ["MLFLOW_TRACKING_URI"]
    ingested = snapshot_task(scenario, overrides, journal_file(loaded, flow_run_id))
    fingerprint = json_digest(
        {"scenario": deciding(loaded), "snapshot": ingested["data"]["id"], "code": code_version()}
    )
    run = open_run(loaded, fingerprint, flow_run_id=flow_run_id)
    ref: JobRef = {
        "scenario": scenario,
        "overrides": overrides,
        "snapshot": ingested["folder"],
        "data": ingested["data"],
        "fingerprint": fingerprint,
        "run_id": run.run_id,
        "flow_run_id": flow_run_id,
        "journal": journal_file(loaded, flow_run_id),
    }
    try:
        run.log_params(flat_parameters(deciding(loaded)))
        run.log_snapshot(
            scenario=loaded.scenario.name, snapshot_id=ingested["data"]["id"], rows=ingested["data"]["rows_kept"]
        )
        reports = {"ingest": ingested, "prepare": tasks.prepare_task(ref)}
        if loaded.scenario.pretrain:
            reports["pretrain"] = tasks.pretrain_task(ref, uri)
        reports["embed"] = tasks.embed_task(ref)
        if loaded.scenario.recipe.distill:
            reports["teach"] = tasks.teach_task(ref)
        reports["fit"] = tasks.fit_task(ref, uri)
        reports["export"] = tasks.export_task(ref)
        if variants_asked(loaded.scenario.export):
            reports["variants"] = tasks.variants_task(ref)
        reports["evaluate"] = tasks.evaluate_task(ref)
        reports["package"] = tasks.package_task(ref)
        reports["release"] = tasks.release_task(ref, reports["package"], uri)
        result = summary(loaded, ref, reports)
        journal.metrics(flat_figures(result["metrics"]))
        log_outcome(run, ref, result, reports)
    except BaseException:
        run.finish("FAILED")
        raise
    run.finish("FINISHED")
    return result


def open_run(loaded: LoadedScenario, fingerprint: str, *, flow_run_id: str) -> TrainingRun:
    """The MLflow run of this training run, reopened when it was begun before."""
    return TrainingRun.open(
        tracking_uri=os.environ["MLFLOW_TRACKING_URI"],
        artifact_root=home() / "mlartifacts",
        scenario=loaded.scenario.name,
        fingerprint=fingerprint,
        flow_run_id=flow_run_id or None,
        tags={"polyloom.code": code_version()},
    )


def journal_file(loaded: LoadedScenario, flow_run_id: str) -> str:
    """The run's journal."""
    return str(journal_path(home(), loaded.scenario.name, flow_run_id or f"local-{os.getpid()}"))


def summary(loaded: LoadedScenario, ref: JobRef, reports: dict[str, Result]) -> Result:
    """What the command line and `--json` show."""
    released, packaged, data = reports["release"], reports["package"], ref["data"]
    embedded = reports["embed"]["encoders"]
    return {
        "scenario": loaded.scenario.name,
        "status": released["status"],
        "mlflow_run_id": ref["run_id"],
        "flow_run_id": ref["flow_run_id"] or None,
        "release": {
            "name": loaded.scenario.name,
            "version": released["version"],
            "digest": released["digest"],
            "alias": released["alias"],
        },
        "gate": released["verdict"],
        **({"approval": released["approval"]} if released["approval"] else {}),
        "snapshot": data,
        "metrics": reports["evaluate"]["metrics"],
        "strategy": {
            key: reports["fit"].get(key)
            for key in ("strategies", "trained_parameters", "auto", "continual", "ensemble")
        },
        **compressed(reports),
        "index": packaged["index"],
        **{use: packaged[use] for use in ("recommend", "answer") if use in packaged},
        "embedded": {name: counts["embedded"] for name, counts in embedded.items()},
        "reused": {name: counts["reused"] for name, counts in embedded.items()},
        "seconds": {stage: report["seconds"] for stage, report in reports.items()},
        "bundle": packaged["folder"],
    }


def compressed(reports: dict[str, Result]) -> Result:
    """The teacher, what was pruned and the variants of graphs, each where there is any."""
    found = {
        "teacher": reports.get("teach"),
        "pruned": reports["fit"].get("pruned"),
        "variants": reports.get("variants"),
    }
    return {key: {name: value for name, value in one.items() if name != "seconds"} for key, one in found.items() if one}


def log_outcome(run: TrainingRun, ref: JobRef, result: Result, reports: dict[str, Result]) -> None:
    """Figures, pictures, card and links of a finished run."""
    found = {**flat_figures(result["metrics"]), **harmed_figures(result["metrics"])}
    run.log_metrics(found, step=int(reports["fit"]["best_epoch"]))
    folder = Job.load(ref).folder / "evaluation"
    for picture in sorted(folder.glob("*.png")):
        run.log_artifact(picture, "pictures")
    run.log_artifact(Path(result["bundle"]) / "card.md")
    if (folder / REPORT).is_file():
        run.log_artifact(folder / REPORT)
    auto = reports["fit"].get("auto")
    if auto:
        run.log_text(json.dumps(auto, indent=2), "auto.json")
        run.log_metrics(ladder_figures(auto), step=0)
        run.set_tag("polyloom.auto", ladder_end(auto))
    log_steps_and_members(run, reports["fit"])
    run.set_tags(
        {
            "polyloom.status": result["status"],
            "polyloom.release": f"{result['release']['name']}/{result['release']['version']}",
            "polyloom.digest": result["release"]["digest"],
            "polyloom.gate": result["gate"]["reason"],
        }
    )


def log_steps_and_members(run: TrainingRun, fitted: Result) -> None:
    """What a fit in steps, or of several members, says of each."""
    course, ensemble = fitted.get("continual"), fitted.get("ensemble")
    if course:
        run.log_text(json.dumps(course, indent=2), "continual.json")
        for step in range(len(course["steps"])):
            run.log_metrics(step_figures(course, step), step=step + 1)
    if ensemble:
        run.log_text(json.dumps(ensemble, indent=2), "ensemble.json")
        run.log_metrics(member_figures(ensemble), step=0)


def note_unchanged(loaded: LoadedScenario, known: Result, *, flow_run_id: str) -> Result:
    """Write a flow run that found nothing to do down as an MLflow run of its own, with the release it stands by."""
    run = open_run(loaded, f"unchanged-{known['release']['digest']}-{flow_run_id}", flow_run_id=flow_run_id)
    run.log_metrics(flat_figures(known["metrics"]), step=0)
    release = f"{known['release']['name']}/{known['release']['version']}"
    run.set_tags(
        {"polyloom.status": "unchanged", "polyloom.release": release, "polyloom.trained_by": known["mlflow_run_id"]}
    )
    run.finish("FINISHED")
    return {**known, "mlflow_run_id": run.run_id, "trained_by": known["mlflow_run_id"], "flow_run_id": flow_run_id}


def flat_figures(metrics: dict[str, dict[str, Any]]) -> dict[str, float]:
    """`task.metric` -> value; what is no number is left out."""
    return {
        f"{task}.{name}": value
        for task, figures in metrics.items()
        for name, value in figures.items()
        if isinstance(value, int | float)
    }


def harmed_figures(metrics: dict[str, dict[str, Any]]) -> dict[str, float]:
    """`task.modality_harm` -> the metric after that harm to the modality; `task.under_harm` after one to all inputs."""
    found = {
        f"{task}.{modality}_{harm}": figures[harm]["value"]
        for task, own in metrics.items()
        for modality, figures in own.get("modalities", {}).items()
        for harm in get_args(Harm)
        if figures[harm] is not None and figures[harm]["value"] is not None
    }
    under = {
        f"{task}.under_{harm}": figures["value"]
        for task, own in metrics.items()
        for harm, figures in own.get("robustness", {}).items()
        if isinstance(figures, dict) and figures["value"] is not None
    }
    return {**found, **under}


def flat_parameters(value: Any, prefix: str = "") -> dict[str, object]:
    """The scenario as `recipe.epochs` -> 5, for MLflow's parameters."""
    if not isinstance(value, dict):
        return {prefix: str(value)[:PARAMETER_CHARACTERS]}
    parts = [flat_parameters(inner, f"{prefix}.{key}" if prefix else key) for key, inner in value.items()]
    return {key: inner for part in parts for key, inner in part.items()}
