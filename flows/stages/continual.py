"""A fit that learns step by step what arrived step by step: each step is a fit with a folder of its own.

After each step the watched metric is measured on the test rows of every step, among the labels known by then. Of the
rows of earlier steps a step sees its memory and nothing else; its epoch is chosen by its own validation rows.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.stages.fitted import FITTED, encoder_strategy, save_fitted
from flows.stages.histories import HISTORY, numbered_through, read_history
from flows.stages.material import CHECKPOINTS, Material, Ready
from flows.stages.step_losses import further_loss, leave_importance
from flows.stages.step_scores import step_scores
from flows.stages.stepwise import Stepwise
from flows.strategies import fit_plans, is_live
from heads.step_metrics import average_score, forgetting
from polyloom.durable import publish_folder, read_json, write_json

if TYPE_CHECKING:
    from training.course import Epoch

STEPS, DONE = "steps", "done.json"
Outcome = dict[str, Any]


def learn_in_steps(material: Material, *, on_epoch: Callable[["Epoch"], None]) -> dict[str, Any]:
    """Learn every step, from where a killed run stopped; the last step's weights are the run's."""
    job = material.job
    learner = Learner(material, on_epoch=on_epoch)
    outcomes = [learner.learn(step) for step in range(len(learner.stepwise.steps.names))]
    last = learner.folder(len(outcomes) - 1)
    with publish_folder(job.folder / FITTED) as draft:
        shutil.copytree(last / FITTED, draft, dirs_exist_ok=True)
    histories = [read_history(learner.folder(step)) for step in range(len(outcomes))]
    live = [name for name in job.scenario.modalities if is_live(job.scenario, name, learner.plan)]
    return {
        **outcomes[-1]["placed"],
        "strategies": {name: encoder_strategy(last, name) for name in live},
        "trained_parameters": outcomes[-1]["trained_parameters"],
        "best_epoch": sum(map(len, histories[:-1])) + outcomes[-1]["best_epoch"],
        "best_metric": outcomes[-1]["best_metric"],
        "stopped_early": any(outcome["stopped_early"] for outcome in outcomes),
        "resumed_at_step": outcomes[-1]["resumed_at_step"],
        "history": numbered_through(histories),
        "continual": {
            "kind": learner.stepwise.settings.kind,
            "metric": job.scenario.gate.metric,
            "steps": [told(outcomes, step) for step in range(len(outcomes))],
        },
    }


class Learner:
    """Learns the steps of a run. Epochs are numbered through over all steps for whoever is told of them."""

    def __init__(self, material: Material, *, on_epoch: Callable[["Epoch"], None]) -> None:
        self.material = material
        self.on_epoch = on_epoch
        (self.plan,) = fit_plans(material.job.scenario)
        self.stepwise = Stepwise.of(material)

    def folder(self, step: int) -> Path:
        """Where a step keeps its checkpoints, its weights, its history and its outcome."""
        return self.material.job.folder / STEPS / str(step)

    def learn(self, step: int) -> Outcome:
        """Fit a step from the weights of the one before, and measure it; nothing where that is done."""
        folder = self.folder(step)
        if not (folder / DONE).is_file():
            write_json(folder / DONE, self.fit(step, folder))
            # A finished step's checkpoints hold the model several times over, and no later step starts before it.
            shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
            if step:
                shutil.rmtree(self.folder(step - 1) / FITTED, ignore_errors=True)
        return dict(read_json(folder / DONE))

    def fit(self, step: int, folder: Path) -> Outcome:
        """Fit a step and save what it leaves."""
        stepwise, rows = self.stepwise, self.stepwise.rows(step)
        material = self.material.over(rows)
        ready = self.ready(step, material)
        done = sum(len(read_history(self.folder(earlier))) for earlier in range(step))
        ready.fitting.on_epoch = lambda epoch: self.on_epoch(replace(epoch, epoch=epoch.epoch + done))
        result = ready.fitting.run()
        save_fitted(folder, ready.fitting.model, material.targets, ready.tunings)
        write_json(folder / HISTORY, [vars(epoch) for epoch in result.history])
        if stepwise.settings.kind == "ewc":
            leave_importance(material, ready.fitting, former=self.former(step), start=self.start(step), to=folder)
        scores = step_scores(self.material, material, ready.fitting, steps=stepwise.steps, step=step)
        self.material.progress.log(f"step {stepwise.steps.names[step]}: {scores['so_far']} on all rows so far")
        return {
            "name": stepwise.steps.names[step],
            "rows": len(stepwise.own(step)),
            "memory": len(stepwise.memory(step)),
            "labels": stepwise.labels_up_to(step),
            **scores,
            "placed": ready.placed,
            "trained_parameters": ready.trained_parameters,
            "best_epoch": result.best_epoch + 1,
            "best_metric": result.best_metric,
            "stopped_early": result.stopped_early,
            "resumed_at_step": result.resumed_at_step,
            "seconds": sum(epoch.seconds for epoch in result.history),
        }

    def start(self, step: int) -> Path | None:
        """The folder of the step before."""
        return self.folder(step - 1) if step else None

    def former(self, step: int) -> Material | None:
        """What the fit of the step before was made of."""
        return self.material.over(self.stepwise.rows(step - 1)) if step else None

    def ready(self, step: int, material: Material) -> Ready:
        """The fit of a step."""
        start, former, folder = self.start(step), self.former(step), self.folder(step)
        if start is None or former is None:
            return material.ready(self.plan, folder=folder)
        return material.ready(
            self.plan,
            folder=folder,
            start=start,
            further_loss=further_loss(self.stepwise.settings, material, former=former, plan=self.plan, start=start),
        )


def told(outcomes: Sequence[Mapping[str, Any]], step: int) -> dict[str, Any]:
    """A step as it is reported."""
    names = ("name", "rows", "memory", "labels", "scores", "so_far", "seconds")
    scores = [outcome["scores"] for outcome in outcomes]
    return {
        **{name: outcomes[step][name] for name in names},
        "average": average_score(scores, step),
        "forgetting": forgetting(scores, step),
    }
