"""A fit of several heads over the same frozen encoders, each in a folder of its own, which are released as one."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.spec import Scenario
from flows.stages.fitted import FITTED, save_fitted
from flows.stages.histories import HISTORY, numbered_through, read_history
from flows.stages.material import CHECKPOINTS, Material
from flows.strategies import FitPlan
from flows.task_assembly import build_averaging
from heads.bootstrap import paired_difference
from polyloom.durable import publish_folder, read_json, write_json

if TYPE_CHECKING:
    from heads.averaging import Averaging
    from training.course import Epoch

MEMBERS, DONE = "members", "done.json"


def fit_members(material: Material, plain: FitPlan, *, on_epoch: Callable[["Epoch"], None]) -> dict[str, Any]:
    """Fit every member, from where a killed run stopped; their joined heads are the run's.

    `plain` is how one that says nothing of its own is fitted.
    """
    job, plans = material.job, member_plans(material.job.scenario, plain)
    folders = [job.folder / MEMBERS / str(number) for number in range(len(plans))]
    outcomes: list[dict[str, Any]] = []
    for plan, folder in zip(plans, folders, strict=True):
        outcomes.append(fit_member(material, plan, folder=folder, on_epoch=after(folders[: len(outcomes)], on_epoch)))
        material.progress.log(f"member {len(outcomes)}: {outcomes[-1]['metric']:.4f} on the validation rows")
    save_joined(material, folders)
    histories = [read_history(folder) for folder in folders]
    ensemble = {**compared(material, plans, folders), "members": outcomes}
    return {
        **outcomes[-1]["placed"],
        "strategies": {},
        "trained_parameters": sum(outcome["trained_parameters"] for outcome in outcomes),
        "best_epoch": sum(map(len, histories[:-1])) + outcomes[-1]["best_epoch"],
        "best_metric": ensemble["together"],
        "stopped_early": any(outcome["stopped_early"] for outcome in outcomes),
        "history": numbered_through(histories),
        "ensemble": ensemble,
    }


def after(folders: Sequence[Path], on_epoch: Callable[["Epoch"], None]) -> Callable[["Epoch"], None]:
    """What tells of a member's epochs with the numbers that follow those of the members before."""
    done = sum(len(read_history(folder)) for folder in folders)
    return lambda epoch: on_epoch(replace(epoch, epoch=epoch.epoch + done))


def member_plans(scenario: Scenario, plain: FitPlan) -> list[FitPlan]:
    """Each member's fit; the first one that says nothing of its own is the plain one."""
    ensemble = scenario.recipe.ensemble
    return [
        replace(
            plain,
            seed=plain.seed + number if member.seed is None else member.seed,
            epochs=member.epochs or plain.epochs,
            patience=plain.patience if member.patience is None else member.patience,
            batch_size=member.batch_size or plain.batch_size,
            learning_rate=member.learning_rate or plain.learning_rate,
        )
        for number, member in enumerate(ensemble.settings if ensemble else ())
    ]


def fit_member(
    material: Material, plan: FitPlan, *, folder: Path, on_epoch: Callable[["Epoch"], None]
) -> dict[str, Any]:
    """Fit a member and save its heads; nothing where that is done."""
    if (folder / DONE).is_file():
        return dict(read_json(folder / DONE))
    ready = material.ready(plan, folder=folder, on_epoch=on_epoch)
    result = ready.fitting.run()
    save_fitted(folder, ready.fitting.model, material.targets, ready.tunings)
    write_json(folder / HISTORY, [vars(epoch) for epoch in result.history])
    outcome = {
        "seed": plan.seed,
        "metric": result.best_metric,
        "epochs": len(result.history),
        "best_epoch": result.best_epoch + 1,
        "stopped_early": result.stopped_early,
        "trained_parameters": ready.trained_parameters,
        "seconds": sum(epoch.seconds for epoch in result.history),
        "placed": ready.placed,
    }
    write_json(folder / DONE, outcome)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    return outcome


def save_joined(material: Material, folders: Sequence[Path]) -> None:
    """The members' heads as those of one task model each."""
    from safetensors.torch import load_file, save_file

    from training.ensemble import joined_weights

    with publish_folder(material.job.folder / FITTED) as draft:
        for part in ("encoders", "tasks"):
            (draft / part).mkdir()
        for task, goal in material.targets.items():
            members = [load_file(folder / FITTED / "tasks" / f"{task}.safetensors") for folder in folders]
            save_file(joined_weights(members), draft / "tasks" / f"{task}.safetensors")
            write_json(draft / "tasks" / f"{task}.json", goal.decoder.to_json())


def compared(material: Material, plans: Sequence[FitPlan], folders: Sequence[Path]) -> dict[str, Any]:
    """The watched metric of all members together against the first one's, on the validation rows, with the interval."""
    task, metric = material.watch
    decoder, outputs = material.targets[task].decoder, []
    for plan, folder in zip(plans, folders, strict=True):
        fitting = material.ready(plan, folder=folder, start=folder).fitting
        outputs.append(fitting.score(fitting.validation_rows)[0])
    truth, first = fitting.watched(outputs[0])
    _, predicted = fitting.watched({task: together([one[task] for one in outputs], averaging=build_averaging(decoder))})
    scorer = decoder.scorers[metric]
    gain = paired_difference(
        scorer=scorer, truth=truth, predicted=predicted, against=first, seed=material.job.scenario.recipe.seed
    )
    return {
        "metric": f"{task}.{metric}",
        "together": float(scorer(truth, predicted)),
        "first": float(scorer(truth, first)),
        "difference": gain.value,
        "low": gain.low,
        "high": gain.high,
    }


def together(outputs: Sequence[dict[str, np.ndarray]], *, averaging: "Averaging") -> dict[str, np.ndarray]:
    """Several heads' outputs as one's."""
    import torch

    given = [{name: torch.from_numpy(array) for name, array in one.items()} for one in outputs]
    return {name: tensor.numpy() for name, tensor in averaging(given).items()}
