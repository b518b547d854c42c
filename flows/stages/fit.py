"""Fitting: frozen encoders as finished vectors, live ones as raw values, all tasks together; once, or rung by rung."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flows.compress_assembly import pruned_modality
from flows.stages.climb import climb
from flows.stages.continual import learn_in_steps
from flows.stages.fitted import save_fitted
from flows.stages.job import Job
from flows.stages.material import Material, Ready, told
from flows.stages.members import fit_members
from flows.stages.teamwork import fit_team
from flows.strategies import fit_plans
from flows.zero_shot import learns_nothing
from polyloom.progress import Progress

if TYPE_CHECKING:
    from training.course import Epoch
    from training.model import ApplicationModel


def fit(job: Job, *, progress: Progress, on_epoch: Callable[["Epoch"], None]) -> dict[str, Any]:
    """Fit encoders and heads and save their weights apart; goes on where a killed run stopped."""
    done = job.finished("fit")
    if done is not None:
        return done
    from training.memory import release_memory

    report = fitted(job, progress=progress, on_epoch=on_epoch)
    release_memory()
    return job.finish("fit", report)


def fitted(job: Job, *, progress: Progress, on_epoch: Callable[["Epoch"], None]) -> dict[str, Any]:
    """Fit, and say how it went."""
    from training.process import set_up_process

    set_up_process()
    if learns_nothing(job.scenario):
        return unfitted(Material(job, progress=progress))
    if job.scenario.recipe.strategy == "auto":
        # Which rung comes next depends on the time: one process decides, so one process climbs.
        material = Material(job, progress=progress)
        return {"processes": 1, **climb(material, on_epoch=on_epoch)}
    if job.scenario.recipe.ensemble is not None:
        (plan,) = fit_plans(job.scenario)
        return {"processes": 1, **fit_members(Material(job, progress=progress), plan, on_epoch=on_epoch)}
    if job.scenario.recipe.continual is not None:
        return {"processes": 1, **learn_in_steps(Material(job, progress=progress), on_epoch=on_epoch)}
    with fit_team(job, progress=progress) as (team, placement):
        material = Material(job, progress=progress, team=team, placement=placement)
        ready = ready_for_team(material, on_epoch=on_epoch)
        result = ready.fitting.run()
        pruned = prune_away(job, ready.fitting.model)
    save_fitted(job.folder, ready.fitting.model, material.targets, ready.tunings)
    return {
        **ready.placed,
        "processes": team.size,
        "strategies": {name: tuning.strategy for name, tuning in ready.tunings.items()},
        "trained_parameters": ready.trained_parameters,
        "best_epoch": result.best_epoch + 1,
        "best_metric": result.best_metric,
        "stopped_early": result.stopped_early,
        "resumed_at_step": result.resumed_at_step,
        **({"averaged": dict(result.averaged)} if result.averaged else {}),
        **pruned,
        "history": [vars(epoch) for epoch in result.history],
    }


def prune_away(job: Job, model: "ApplicationModel") -> dict[str, Any]:
    """Make a pruned encoder's matrices smaller where whole units have gone; says what went."""
    from training.pruning import zero_share
    from training.units import slim

    name, given = pruned_modality(job.scenario), job.scenario.recipe.prune
    if name is None or given is None:
        return {}
    encoder = model.encoders[name]
    if given.kind == "magnitude":
        return {"pruned": {"modality": name, "kind": given.kind, "zeros": round(zero_share(encoder), 6)}}
    before = sum(parameter.numel() for parameter in encoder.parameters())
    gone = slim(encoder)
    left = sum(parameter.numel() for parameter in encoder.parameters())
    return {"pruned": {"modality": name, "kind": given.kind, "gone": gone, "weights": before, "weights_left": left}}


def unfitted(material: Material) -> dict[str, Any]:
    """Save tasks that answer as they are built."""
    plan = fit_plans(material.job.scenario)[0]
    model, tunings = material.model(plan, material.inputs(plan), start=None)
    save_fitted(material.job.folder, model, material.targets, tunings)
    return {
        **told(material.placement),
        "processes": 1,
        "strategies": {},
        "trained_parameters": 0,
        "best_epoch": 0,
        "best_metric": None,
        "stopped_early": False,
        "resumed_at_step": 0,
        "history": [],
    }


def ready_for_team(material: Material, *, on_epoch: Callable[["Epoch"], None] | None) -> Ready:
    """What every process of a team makes: the same model over the same rows, to go step by step with the others."""
    (plan,) = fit_plans(material.job.scenario)
    return material.ready(plan, folder=material.job.folder, on_epoch=on_epoch)
