"""The flow behind `polyloom tune`: trials on one snapshot, each an MLflow run below the search's own."""

import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import flow
from prefect.runtime import flow_run

from flows import settings
from flows.console import console_progress
from flows.scenario_file import LoadedScenario, load_scenario
from flows.stages.attempt import Answers, answers, fitted
from flows.stages.ingest import ingest
from flows.stages.job import Job
from flows.tracking import TrainingRun
from flows.tune_spec import Tune
from flows.tuning.space import Space, check_space, overrides_of, space_of
from flows.tuning.trials import SECONDS, Trials
from flows.unchanged import deciding
from flows.validation import check_before_work
from heads.bootstrap import paired_difference
from polyloom.durable import json_digest, locked, read_json, write_json
from polyloom.errors import PolyloomError
from polyloom.home import home
from polyloom.progress import SILENT, Progress
from polyloom.version import code_version

if TYPE_CHECKING:
    from training.course import Epoch

Result = dict[str, Any]
PARENT = "mlflow.parentRunId"
DEFAULTS = "defaults"


class GivenUpError(Exception):
    """A trial that is not worth its remaining epochs, or whose budget is spent."""


@dataclass(frozen=True)
class Asked:
    """A search as it was asked for."""

    scenario: str
    overrides: tuple[str, ...]
    tune: Tune
    space: Space
    snapshot: str
    folder: Path
    flow_run_id: str


@flow(name="tune")
def tune(scenario: str, overrides: list[str], limits: dict[str, Any]) -> Result:
    """Try settings until the trials or the minutes are used up; a search that was killed goes on where it stopped."""
    settings.apply()
    progress = console_progress()
    loaded = load_scenario(scenario, overrides=overrides)
    check_before_work(loaded)
    wanted = (loaded.scenario.tune or Tune()).model_copy(update=limits)
    space = space_of(loaded.scenario)
    check_space(loaded, space, overrides)
    report = ingest(loaded, progress=progress)
    # More trials or minutes go on with the search that is there.
    facts = {
        "scenario": deciding(loaded),
        "snapshot": report.id,
        "code": code_version(),
        "space": {path: str(values) for path, values in space.items()},
        "objectives": wanted.objectives,
        "seed": wanted.seed,
    }
    folder = home() / "tunings" / loaded.scenario.name / json_digest(facts)[:16]
    asked = Asked(
        scenario=str(loaded.path),
        overrides=tuple(overrides),
        tune=wanted,
        space=space,
        snapshot=str(report.folder),
        folder=folder,
        flow_run_id=str(flow_run.get_id() or f"local-{os.getpid()}"),
    )
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock", waiting=lambda: progress.log("waiting for another search to end")):
        return Search(loaded, asked, progress=progress).run()


class Search:
    """One search; what is finished lies in its folder."""

    def __init__(self, loaded: LoadedScenario, asked: Asked, *, progress: Progress) -> None:
        self.loaded = loaded
        self.asked = asked
        self.progress = progress
        self.trials = Trials(
            asked.folder,
            space=asked.space,
            objectives=asked.tune.objectives,
            seed=asked.tune.seed,
            prune=asked.tune.prune,
        )
        self.parent = self._run("search", asked.folder.name, {"polyloom.tune": asked.folder.name})

    def run(self) -> Result:
        """All trials, and what they came to."""
        tune, trials = self.asked.tune, self.trials
        half = trials.resume()
        if half:
            self.progress.log(f"tune: {half} trial(s) of a search that was interrupted go on")
        defaults = self._defaults()
        with self.progress.stage("tune", total=tune.trials, unit="trials") as bar:
            bar.advance(len(trials.finished()))
            while len(trials.finished()) < tune.trials and self._seconds_left() > 0:
                self._try(trials.ask())
                bar.advance(1)
                best = trials.best()
                bar.say(f"best {best[0].values[0]:.4f}, the scenario's own {defaults[0]:.4f}" if best else "none yet")
        result = self._result(defaults)
        write_json(self.asked.folder / "result.json", result)
        self._log(result)
        return result

    def _seconds_left(self) -> float:
        minutes = self.asked.tune.minutes
        own = self.asked.folder / f"{DEFAULTS}.json"
        spent = self.trials.seconds() + (float(read_json(own)[SECONDS]) if own.is_file() else 0.0)
        return float("inf") if minutes is None else minutes * 60 - spent

    def _defaults(self) -> list[float]:
        """The scenario as it stands: what every trial is compared with."""
        path = self.asked.folder / f"{DEFAULTS}.json"
        if not path.is_file():
            started = time.monotonic()
            job = self._job({})
            report = fitted(job, progress=self.progress, on_epoch=lambda _: None)
            values = self._values(job, report)
            write_json(path, {"values": values, SECONDS: time.monotonic() - started})
            self._child(DEFAULTS, {}, values, history=report["history"], status="FINISHED")
        return list(read_json(path)["values"])

    def _try(self, trial: Any) -> None:
        """Fit one trial, or take what the same settings gave before."""
        known = self.trials.known(trial.params)
        if known is not None:
            self.trials.complete(trial, known.values)
            return
        started, history = time.monotonic(), []

        def on_epoch(epoch: "Epoch") -> None:
            history.append(vars(epoch))
            trial.set_user_attr(SECONDS, time.monotonic() - started)
            if self.trials.prunes:
                trial.report(epoch.metric, epoch.epoch)
            if (self.trials.prunes and trial.should_prune()) or self._seconds_left() <= 0:
                raise GivenUpError

        job = self._job(trial.params)
        try:
            report = fitted(job, progress=SILENT, on_epoch=on_epoch)
            values = self._values(job, report)
        except GivenUpError:
            trial.set_user_attr(SECONDS, time.monotonic() - started)
            self.trials.give_up(trial)
            self._child(f"trial-{trial.number}", trial.params, [], history=history, status="KILLED")
            shutil.rmtree(job.folder, ignore_errors=True)
        except PolyloomError as error:
            trial.set_user_attr(SECONDS, time.monotonic() - started)
            self.trials.fail(trial, str(error))
            self.progress.log(f"tune: trial {trial.number} failed: {error}")
            self._child(f"trial-{trial.number}", trial.params, [], history=history, status="FAILED")
            shutil.rmtree(job.folder, ignore_errors=True)
        else:
            trial.set_user_attr(SECONDS, time.monotonic() - started)
            self.trials.complete(trial, values)
            self._child(f"trial-{trial.number}", trial.params, values, history=history, status="FINISHED")
            if trial.number not in [each.number for each in self.trials.best()]:
                shutil.rmtree(job.folder, ignore_errors=True)

    def _job(self, params: Mapping[str, Any]) -> Job:
        """The job of some settings: the same folder for the same settings, so that a killed fit goes on."""
        fingerprint = json_digest({"tune": self.asked.folder.name, "settings": overrides_of(params)})
        return Job.load(
            {
                "scenario": self.asked.scenario,
                "overrides": [*self.asked.overrides, *overrides_of(params)],
                "snapshot": self.asked.snapshot,
                "fingerprint": fingerprint,
            }
        )

    def _values(self, job: Job, report: Mapping[str, Any]) -> list[float]:
        """A fitted job's objectives."""
        values = {"metric": float(report["best_metric"])}
        if "latency" in self.asked.tune.objectives:
            values["latency"] = answers(job).milliseconds
        return [values[name] for name in self.asked.tune.objectives]

    def _result(self, defaults: list[float]) -> Result:
        """The search in figures: best settings, their difference to the scenario's own, importance, all trials."""
        names, best = self.asked.tune.objectives, self.trials.best()
        chosen = [
            {"trial": each.number, "settings": each.params, "values": dict(zip(names, each.values, strict=True))}
            for each in best
        ]
        return {
            "scenario": self.loaded.scenario.name,
            "metric": self.loaded.scenario.gate.metric,
            "folder": str(self.asked.folder),
            "mlflow_run_id": self.parent.run_id,
            "own": dict(zip(names, defaults, strict=True)),
            "best": chosen,
            "gain": self._gain(best[0].params) if best else None,
            "overrides": overrides_of(best[0].params) if best else [],
            "importance": self.trials.importance(),
            "trials": [row(each, names) for each in self.trials.finished()],
            "seconds": round(self.trials.seconds(), 1),
        }

    def _gain(self, params: Mapping[str, Any]) -> dict[str, float]:
        """The best settings against the scenario's own, paired on the validation rows on which they were chosen."""
        one, other = self._answers(params), self._answers({})
        found = paired_difference(
            scorer=one.scorer,
            truth=one.truth,
            predicted=one.predicted,
            against=other.predicted,
            seed=self.asked.tune.seed,
        )
        return {
            "value": found.value,
            "low": found.low,
            "high": found.high,
            "milliseconds": one.milliseconds,
            "own_milliseconds": other.milliseconds,
        }

    def _answers(self, params: Mapping[str, Any]) -> Answers:
        """What settings answer; fitted again from what is left of them, where their folder is gone."""
        job = self._job(params)
        fitted(job, progress=SILENT, on_epoch=lambda _: None)
        return answers(job)

    def _log(self, result: Result) -> None:
        """Pictures and figures, to the folder and to MLflow."""
        from flows.tuning.pictures import draw

        for picture in draw(self.asked.folder, result):
            self.parent.log_artifact(picture, "pictures")
        self.parent.log_text(json.dumps(result, indent=2), "tune.json")
        if result["best"]:
            best = {f"best.{name}": value for name, value in result["best"][0]["values"].items()}
            own = {f"own.{name}": value for name, value in result["own"].items()}
            self.parent.log_metrics({**best, **own}, step=len(result["trials"]))
        self.parent.finish("FINISHED")

    def _child(
        self, name: str, params: Mapping[str, Any], values: list[float], *, history: list[Any], status: Any
    ) -> None:
        """A trial as an MLflow run below the search's."""
        run = self._run(name, f"{self.asked.folder.name}-{name}", {PARENT: self.parent.run_id})
        run.log_params({path: str(value) for path, value in params.items()})
        for epoch in history:
            run.log_metrics({"metric": epoch["metric"], "train_loss": epoch["train_loss"]}, step=int(epoch["epoch"]))
        run.log_metrics(
            dict(zip((f"best.{each}" for each in self.asked.tune.objectives), values, strict=False)), step=0
        )
        run.finish(status)

    def _run(self, name: str, fingerprint: str, tags: Mapping[str, str]) -> TrainingRun:
        return TrainingRun.open(
            tracking_uri=os.environ["MLFLOW_TRACKING_URI"],
            artifact_root=home() / "mlartifacts",
            scenario=self.loaded.scenario.name,
            fingerprint=f"tune-{fingerprint}",
            # A later session goes on with the same runs, though the flow run is another.
            flow_run_id=f"tune-{self.asked.folder.name}-{name}",
            tags={**tags, "polyloom.flow_run": self.asked.flow_run_id},
        )


def row(trial: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """A trial as the table and the pictures show it."""
    complete = trial.state.name == "COMPLETE"
    values = dict(zip(names, trial.values, strict=True)) if complete else dict.fromkeys(names)
    last = max(trial.intermediate_values.items(), default=(None, None))
    return {
        "trial": trial.number,
        "state": {"COMPLETE": "finished", "PRUNED": "given up", "FAIL": "failed"}[trial.state.name],
        **values,
        "epochs": last[0],
        "seconds": round(float(trial.user_attrs.get(SECONDS, 0.0)), 1),
        "settings": trial.params,
    }
