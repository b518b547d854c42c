"""Fitting: frozen encoders as finished vectors, live ones as raw values, all tasks together."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.assembly import is_live, is_trained
from flows.scenario_checks import table_of
from flows.spec import Image
from flows.stages.encoders import embed_values, open_encoder
from flows.stages.job import Job
from flows.stages.pretrained import starting_encoder
from flows.task_assembly import build_decoder, build_task
from heads.decoder import rows_of
from polyloom.durable import publish_folder, write_json
from polyloom.progress import Progress

if TYPE_CHECKING:
    from training.fitting import Epoch
    from training.inputs import ModalityInput
    from training.model import ApplicationModel
    from training.targets import Target


def fit(job: Job, *, progress: Progress, on_epoch: Callable[["Epoch"], None]) -> dict[str, Any]:
    """Fit encoders and heads and save their weights apart; goes on where a killed run stopped."""
    done = job.finished("fit")
    if done is not None:
        return done
    import torch

    from training.device import place
    from training.fitting import Fitting

    recipe = job.scenario.recipe
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    inputs = {name: modality_input(job, name, progress=progress) for name in job.scenario.modalities}
    targets = {task: target(job, task) for task in job.scenario.tasks}
    model = build_model(job, inputs, targets)
    placement = place(recipe.precision)
    watched_task, _, watched_metric = job.scenario.gate.metric.partition(".")
    fitting = Fitting(
        model=model,
        inputs=inputs,
        targets=targets,
        train_rows=job.split("train"),
        validation_rows=job.split("validation"),
        watch=(watched_task, watched_metric),
        folder=job.folder / "checkpoints",
        placement=placement,
        epochs=recipe.epochs,
        patience=recipe.patience,
        seed=recipe.seed,
        batch_size=recipe.batch_size,
        accumulate=recipe.accumulate,
        learning_rate=recipe.learning_rate,
        encoder_learning_rate=recipe.encoder_learning_rate,
        weight_decay=recipe.weight_decay,
        warmup=recipe.warmup,
        sets=job.sets,
        sampling=recipe.sampling,
        checkpoint_seconds=recipe.checkpoint_seconds,
        progress=progress,
        on_epoch=on_epoch,
    )
    result = fitting.run()
    save_fitted(job.folder / "fitted", model, targets)
    return job.finish(
        "fit",
        {
            "device": str(placement.device),
            "precision": placement.precision,
            "best_epoch": result.best_epoch + 1,
            "best_metric": result.best_metric,
            "stopped_early": result.stopped_early,
            "resumed_at_step": result.resumed_at_step,
            "history": [vars(epoch) for epoch in result.history],
        },
    )


def modality_input(job: Job, name: str, *, progress: Progress) -> "ModalityInput":
    """A modality as the fitting loop reads it."""
    from training.inputs import ModalityInput, live_source

    given = job.task_values(name)
    preparation = job.preparations[name]
    if not is_live(job.scenario, name):
        encoder = open_encoder(job, name, progress=progress)
        report = embed_values(given, preparation=preparation, encoder=encoder, name=name, progress=progress)
        return ModalityInput(present=given.present, vectors=report.vectors)
    modality = job.scenario.modalities[name]
    augmentation = modality.augment if isinstance(modality, Image) else "none"
    source = live_source(preparation=preparation, values=given.values, augmentation=augmentation)
    return ModalityInput(present=given.present, source=source)


def target(job: Job, task: str) -> "Target":
    """A task's decoder, from the training rows, and the truth of all rows."""
    from training.targets import Target

    settings = job.scenario.tasks[task]
    values = job.targets(task)
    decoder = build_decoder(
        job.scenario,
        task,
        column_kind=job.scenario.data[table_of(job.scenario, task)].columns.get(settings.target, ""),
        training=[values[row] for row in job.split("train", task=task)],
    )
    return Target(truth=decoder.encode(values), decoder=decoder, loss_weight=settings.loss_weight, set=job.set_of(task))


def build_model(job: Job, inputs: dict[str, "ModalityInput"], targets: dict[str, "Target"]) -> "ApplicationModel":
    """The model, the same under the same seed."""
    import torch

    from training.model import ApplicationModel

    seed = job.scenario.recipe.seed
    live = [name for name in inputs if is_live(job.scenario, name)]
    encoders = {name: starting_encoder(job, name) for name in live}
    for name, encoder in encoders.items():
        encoder.requires_grad_(is_trained(job.scenario, name))
    dims = {name: width(given, encoders.get(name)) for name, given in inputs.items()}
    torch.manual_seed(seed)
    tasks = {
        task: build_task(
            job.scenario,
            task,
            decoder=goal.decoder,
            dims=dims,
            training=rows_of(goal.truth, job.split("train", task=task)),
        )
        for task, goal in targets.items()
    }
    learned = [task for task, goal in targets.items() if goal.loss_weight == "learned"]
    return ApplicationModel(encoders=encoders, tasks=tasks, learned_weights=learned)


def width(given: "ModalityInput", encoder: Any) -> int:
    """Length of a modality's embedding."""
    return int(encoder.dim) if given.vectors is None else int(np.shape(given.vectors)[1])


def save_fitted(folder: Path, model: "ApplicationModel", targets: dict[str, "Target"]) -> None:
    """Encoders' and tasks' weights apart, and each task's labels."""
    from safetensors.torch import save_file

    from training.checkpoint import contiguous

    with publish_folder(folder) as draft:
        for part, modules in (("encoders", model.encoders), ("tasks", model.tasks)):
            (draft / part).mkdir()
            for name, module in modules.items():
                save_file(contiguous(module.state_dict()), draft / part / f"{name}.safetensors")
        for task, goal in targets.items():
            write_json(draft / "tasks" / f"{task}.json", goal.decoder.to_json())
