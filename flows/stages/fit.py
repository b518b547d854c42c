"""Fitting: frozen encoders as finished vectors, live ones as raw values, all tasks together."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.assembly import build_encoder, build_fusion, is_live, task_inputs
from flows.spec import Image
from flows.stages.encoders import embed_values, open_encoder
from flows.stages.job import Job
from heads.decoding import ClassificationDecoder
from polyloom.durable import publish_folder, write_json
from polyloom.errors import DataError
from polyloom.progress import Progress

if TYPE_CHECKING:
    from training.fitting import Epoch, Target
    from training.inputs import ModalityInput
    from training.model import ApplicationModel


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

    given = job.values(name, job.task_table)
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
    """A task's labels, from the training rows, and the truth of all rows."""
    from heads.classification import task_kind
    from training.fitting import Target

    settings = job.scenario.tasks[task]
    values = job.targets(task)
    multilabel = job.scenario.data[job.task_table].columns[settings.target] == "labels"
    kind, labels = task_kind([values[row] for row in job.split("train")], multilabel=multilabel)
    if len(labels) < (1 if multilabel else 2):
        raise DataError(
            f"tasks.{task}.target: {settings.target!r} has the value(s) {list(labels)} in the training rows; "
            "a classifier needs at least two. Look at the quarantine, or give more rows."
        )
    decoder = ClassificationDecoder(kind=kind, labels=labels)
    return Target(truth=decoder.encode(values), decoder=decoder, loss_weight=settings.loss_weight)


def build_model(job: Job, inputs: dict[str, "ModalityInput"], targets: dict[str, "Target"]) -> "ApplicationModel":
    """The model, the same under the same seed."""
    import torch

    from heads.classification import ClassificationHead, balanced_weights
    from training.model import ApplicationModel, TaskModel

    seed = job.scenario.recipe.seed
    live = [name for name in inputs if is_live(job.scenario, name)]
    encoders = {name: build_encoder(job.scenario.modalities[name], seed=seed) for name in live}
    dims = {name: width(given, encoders.get(name)) for name, given in inputs.items()}
    torch.manual_seed(seed)
    tasks = {}
    for task, goal in targets.items():
        fusion = build_fusion(job.scenario, {name: dims[name] for name in task_inputs(job.scenario, task)})
        labels, kind = len(goal.decoder.labels), goal.decoder.kind
        balanced = job.scenario.tasks[task].class_weights == "balanced"
        weights = balanced_weights(goal.truth[job.split("train")], labels=labels, kind=kind) if balanced else None
        head = ClassificationHead(
            dim=fusion.dim,
            labels=labels,
            kind=kind,
            class_weights=weights,
            label_smoothing=job.scenario.recipe.label_smoothing,
        )
        tasks[task] = TaskModel(fusion=fusion, head=head)
    return ApplicationModel(encoders=encoders, tasks=tasks)


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
