"""Fitting: frozen encoders as finished vectors, live ones as raw values, all tasks together; once, or rung by rung."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flows.stages.climb import climb
from flows.stages.fitted import save_fitted
from flows.stages.job import Job
from flows.stages.material import Material
from flows.strategies import fit_plans
from polyloom.progress import Progress

if TYPE_CHECKING:
    from training.fitting import Epoch


def fit(job: Job, *, progress: Progress, on_epoch: Callable[["Epoch"], None]) -> dict[str, Any]:
    """Fit encoders and heads and save their weights apart; goes on where a killed run stopped."""
    done = job.finished("fit")
    if done is not None:
        return done
    import torch

    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    material = Material(job, progress=progress)
    whole = climb if job.scenario.recipe.strategy == "auto" else fit_once
    return job.finish("fit", {**material.placed(), **whole(material, on_epoch=on_epoch)})


def fit_once(material: Material, *, on_epoch: Callable[["Epoch"], None]) -> dict[str, Any]:
    """The one fit of a scenario that names its strategy."""
    (plan,) = fit_plans(material.job.scenario)
    ready = material.ready(plan, folder=material.job.folder, on_epoch=on_epoch)
    result = ready.fitting.run()
    save_fitted(material.job.folder, ready.fitting.model, material.targets, ready.tunings)
    return {
        "strategies": {name: tuning.strategy for name, tuning in ready.tunings.items()},
        "trained_parameters": ready.trained_parameters,
        "best_epoch": result.best_epoch + 1,
        "best_metric": result.best_metric,
        "stopped_early": result.stopped_early,
        "resumed_at_step": result.resumed_at_step,
        "history": [vars(epoch) for epoch in result.history],
    }
