"""The flow behind `polyloom techniques`: the plain baseline and each technique, from the same seeds on one snapshot."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows import settings
from flows.console import console_progress
from flows.scenario_file import LoadedScenario, load_scenario
from flows.stages.ingest import ingest
from flows.stages.job import Job
from flows.techniques.choice import Choice, baseline_overrides, chosen_techniques, limited, overrides_of
from flows.techniques.ledger import ledger_of
from flows.techniques.trial import Trial, made_trial
from flows.techniques.usual import Technique
from flows.tracking import TrainingRun
from flows.unchanged import deciding
from flows.validation import check_before_work
from polyloom.durable import json_digest, locked, write_json
from polyloom.errors import PolyloomError
from polyloom.home import home
from polyloom.progress import SILENT, Bar, Progress
from polyloom.version import code_version

Result = dict[str, Any]
PARENT = "mlflow.parentRunId"
BASELINE = Technique("baseline", "the scenario as it stands, with the section's `baseline`", {})


@dataclass(frozen=True)
class Asked:
    """A comparison as it was asked for. `split` are the rows that are judged."""

    loaded: LoadedScenario
    overrides: tuple[str, ...]
    split: str
    seeds: tuple[int, ...]
    minutes: float | None
    snapshot: str
    folder: Path
    flow_run_id: str


@flow(name="techniques")
def compare(scenario: str, overrides: list[str], limits: dict[str, Any]) -> Result:
    """Fit every technique from every seed; a comparison that was killed goes on where it stopped."""
    settings.apply()
    progress = console_progress()
    own = baseline_overrides(scenario, overrides)
    loaded = load_scenario(scenario, overrides=own)
    check_before_work(loaded)
    section = limited(loaded, limits)
    choice = chosen_techniques(loaded, own, section)
    report = ingest(loaded, progress=progress)
    facts = {
        "scenario": deciding(loaded),
        "snapshot": report.id,
        "code": code_version(),
        "split": limits["split"],
    }
    folder = home() / "techniques" / loaded.scenario.name / json_digest(facts)[:16]
    folder.mkdir(parents=True, exist_ok=True)
    asked = Asked(
        loaded=loaded,
        overrides=own,
        split=limits["split"],
        seeds=section.seeds,
        minutes=section.minutes,
        snapshot=str(report.folder),
        folder=folder,
        flow_run_id=str(flow_run.get_id() or f"local-{os.getpid()}"),
    )
    with locked(folder / "lock", waiting=lambda: progress.log("waiting for another comparison to end")):
        return Comparison(asked, choice, progress=progress).run()


class Comparison:
    """One comparison; each finished fit lies in its folder, and is not made again for more seeds or techniques."""

    def __init__(self, asked: Asked, choice: Choice, *, progress: Progress) -> None:
        self.asked = asked
        self.progress = progress
        self.techniques = (BASELINE, *choice.techniques)
        self.trials: dict[str, dict[int, Trial]] = {}
        self.skipped = dict(choice.skipped)
        self.parent = self._run("all", {"polyloom.techniques": asked.folder.name})

    def run(self) -> Result:
        """All fits, and what they came to. One seed of every technique comes before the next seed."""
        fits = [(technique, seed) for seed in self.asked.seeds for technique in self.techniques]
        with self.progress.stage("techniques", total=len(fits), unit="fits") as bar:
            for technique, seed in fits:
                if technique.name not in self.skipped:
                    self._fit(technique, seed, bar)
                bar.advance(1)
        result = self._result()
        write_json(self.asked.folder / "result.json", result)
        self._log(result)
        return result

    def _fit(self, technique: Technique, seed: int, bar: Bar) -> None:
        """One fit, or what it gave before; none when the time is over, but for the baseline's first."""
        folder = self.asked.folder / "fits" / json_digest({"settings": technique.settings, "seed": seed})[:16]
        made = self.trials.setdefault(technique.name, {})
        if not folder.is_dir():
            if self._time_is_over() and self.trials[BASELINE.name]:
                return
            bar.say(f"{technique.name}, seed {seed}")
            try:
                job = self._job(technique, seed, fingerprint=folder.name)
                reference = self.asked.folder / "reference"
                keeps = technique is BASELINE
                made_trial(job, split=self.asked.split, reference=reference, keeps=keeps, progress=SILENT).save(folder)
            except PolyloomError as error:
                if technique is BASELINE:
                    raise
                self.skipped[technique.name] = str(error)
                self.progress.log(f"{technique.name} is left out: {error}")
                return
        made[seed] = Trial.load(folder)

    def _time_is_over(self) -> bool:
        spent = sum(trial.cost.all_seconds for trials in self.trials.values() for trial in trials.values())
        return self.asked.minutes is not None and spent >= self.asked.minutes * 60

    def _job(self, technique: Technique, seed: int, *, fingerprint: str) -> Job:
        """The job of a fit: the same folder each time, so that a killed one goes on."""
        overrides = [*self.asked.overrides, *overrides_of(technique.settings), f"recipe.seed={seed}"]
        return Job.load(
            {
                "scenario": str(self.asked.loaded.path),
                "overrides": overrides,
                "snapshot": self.asked.snapshot,
                "fingerprint": json_digest({"techniques": self.asked.folder.name, "fit": fingerprint}),
            }
        )

    def _result(self) -> Result:
        """The table, and what is not in it."""
        task, _, metric = self.asked.loaded.scenario.gate.metric.partition(".")
        rows = ledger_of(self.techniques, self.trials, baseline=BASELINE.name, metric=metric)
        # What an earlier seed gave of a technique that failed later would stand beside means of more seeds.
        rows = [row for row in rows if row["technique"] not in self.skipped]
        missing = [technique.name for technique in self.techniques if not self.trials.get(technique.name)]
        over = {name: "the time was over before its first fit" for name in missing if name not in self.skipped}
        return {
            "scenario": self.asked.loaded.scenario.name,
            "metric": f"{task}.{metric}",
            "split": self.asked.split,
            "rows": len(self.trials[BASELINE.name][self.asked.seeds[0]].truth),
            "seeds": list(self.asked.seeds),
            "techniques": rows,
            "skipped": {**self.skipped, **over},
            "seconds": round(
                sum(trial.cost.all_seconds for trials in self.trials.values() for trial in trials.values()), 1
            ),
            "folder": str(self.asked.folder),
            "mlflow_run_id": self.parent.run_id,
        }

    def _log(self, result: Result) -> None:
        """The picture and the figures, to the folder and to MLflow: a run a technique below that of the comparison."""
        from flows.techniques.picture import draw_ledger

        picture = draw_ledger(self.asked.folder / "techniques.png", result)
        self.parent.log_artifact(picture, "pictures")
        self.parent.log_text(json.dumps(result, indent=2), "techniques.json")
        for row in result["techniques"]:
            run = self._run(row["technique"], {PARENT: self.parent.run_id, "polyloom.verdict": row.get("verdict", "")})
            run.log_params({"settings": " ".join(row["settings"])})
            figures = {name: value for name, value in row.items() if isinstance(value, int | float)}
            run.log_metrics(figures, step=len(row["seeds"]))
            run.finish("FINISHED")
        self.parent.finish("FINISHED")

    def _run(self, name: str, tags: Mapping[str, str]) -> TrainingRun:
        return TrainingRun.open(
            tracking_uri=os.environ["MLFLOW_TRACKING_URI"],
            artifact_root=home() / "mlartifacts",
            scenario=self.asked.loaded.scenario.name,
            fingerprint=f"techniques-{self.asked.folder.name}-{name}",
            # A later session goes on with the same runs, though the flow run is another.
            flow_run_id=f"techniques-{self.asked.folder.name}-{name}",
            tags={**tags, "polyloom.flow_run": self.asked.flow_run_id},
        )
