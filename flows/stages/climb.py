"""Strategy `auto` over a run: each rung of the ladder is a fit with a folder of its own."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.stages.fitted import FITTED, encoder_strategy, save_fitted
from flows.stages.histories import HISTORY, History, numbered_through, read_history
from flows.stages.material import CHECKPOINTS, EPOCHS, Material, told
from flows.stages.members import fit_members
from flows.strategies import FitPlan, fit_plans, is_live
from polyloom.durable import publish_folder, write_json
from training.strategies.ladder import Attempt, Ladder, Rung

if TYPE_CHECKING:
    from training.course import Epoch


def climb(material: Material, *, on_epoch: Callable[["Epoch"], None]) -> dict[str, Any]:
    """Climb the recipe's ladder; the best rung's weights are the run's.

    Where the recipe asks for an ensemble and the best rung trains no encoder, its members' joined heads are.
    """
    job, recipe = material.job, material.job.scenario.recipe
    plans = fit_plans(job.scenario)
    task, metric = material.watch
    ladder = Ladder(
        rungs=[Rung(plan.strategy, plan.epochs) for plan in plans],
        climber=Climber(material, plans, on_epoch=on_epoch),
        scorer=material.targets[task].decoder.scorers[metric],
        folder=job.folder / "rungs",
        seed=recipe.seed,
        budget_seconds=None if recipe.budget_minutes is None else recipe.budget_minutes * 60,
        margin=recipe.auto.margin,
        confidence=recipe.auto.confidence,
        progress=material.progress,
    )
    climbed = ladder.climb()
    best, plan = ladder.rung_folder(climbed.best), plans[climbed.best]
    histories = [read_history(ladder.rung_folder(number)) for number in range(len(climbed.rungs))]
    before = sum(len(history) for history in histories[: climbed.best])
    chosen = max(histories[climbed.best], key=lambda epoch: (epoch["metric"], -epoch["validation_loss"]))
    live = [name for name in job.scenario.modalities if is_live(job.scenario, name, plan)]
    report = {
        **told(material.placement_of(plan)),
        "strategies": {name: encoder_strategy(best, name) for name in live},
        "trained_parameters": climbed.rungs[climbed.best].trained_parameters,
        "best_epoch": before + chosen["epoch"],
        "best_metric": chosen["metric"],
        "stopped_early": climbed.best < len(climbed.rungs) - 1,
        "history": numbered_through(histories),
        "auto": climbed.to_json(),
    }
    if recipe.ensemble is not None and not live:
        return report | members_of(material, plan, after=report["history"], on_epoch=on_epoch)
    if recipe.ensemble is not None:
        material.progress.log(f"ensemble: left out, as {plan.strategy} is the best rung and trains encoders")
    with publish_folder(job.folder / FITTED) as draft:
        shutil.copytree(best / FITTED, draft, dirs_exist_ok=True)
    return report


def members_of(
    material: Material, plan: FitPlan, *, after: History, on_epoch: Callable[["Epoch"], None]
) -> dict[str, Any]:
    """The ensemble that is fitted as the best rung was, and what it changes of the report."""
    joined = fit_members(
        material, plan, on_epoch=lambda epoch: on_epoch(replace(epoch, epoch=epoch.epoch + len(after)))
    )
    return {
        **{key: joined[key] for key in ("trained_parameters", "best_metric", "ensemble")},
        "best_epoch": len(after) + joined["best_epoch"],
        "history": numbered_through([after, joined["history"]]),
    }


class Climber:
    """Fits rungs of a run's ladder. Epochs are numbered through over all rungs for whoever is told of them."""

    def __init__(self, material: Material, plans: Sequence[FitPlan], *, on_epoch: Callable[["Epoch"], None]) -> None:
        self.material = material
        self.plans = {plan.strategy: plan for plan in plans}
        self.on_epoch = on_epoch

    def seconds_per_epoch(self, rung: Rung, *, start: Path | None) -> float:
        """Measured on a few steps, with the weights thrown away afterwards."""
        from training.probe import seconds_per_epoch

        folder = self.material.job.folder / "probe"
        return seconds_per_epoch(self.material.ready(self.plans[rung.strategy], folder=folder, start=start).fitting)

    def fit(self, rung: Rung, *, epochs: int, start: Path | None, folder: Path) -> Attempt:
        """Fit a rung and save its weights and the course of its fit."""
        done = sum(len(read_history(other)) for other in sorted(folder.parent.iterdir()) if other.name < folder.name)
        ready = self.material.ready(
            replace(self.plans[rung.strategy], epochs=epochs),
            folder=folder,
            start=start,
            on_epoch=lambda epoch: self.on_epoch(replace(epoch, epoch=epoch.epoch + done)),
        )
        result = ready.fitting.run()
        outputs, _ = ready.fitting.score(ready.fitting.validation_rows)
        truth, predicted = ready.fitting.watched(outputs)
        save_fitted(folder, ready.fitting.model, self.material.targets, ready.tunings)
        write_json(folder / HISTORY, [vars(epoch) for epoch in result.history])
        return Attempt(
            truth=truth,
            predicted=predicted,
            trained_parameters=ready.trained_parameters,
            seconds=sum(epoch.seconds for epoch in result.history),
        )

    def finished(self, folder: Path) -> None:
        """Drop a finished rung's checkpoints and epochs, which hold the model several times over."""
        for kept in (CHECKPOINTS, EPOCHS):
            shutil.rmtree(folder / kept, ignore_errors=True)
