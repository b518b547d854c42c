"""Pretraining: an encoder learns from training rows before the fit, once for all runs that would do the same."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.assembly import build_encoder
from flows.pretrain_assembly import build_objective, label_objective, pace_of
from flows.stages.job import Job
from flows.stages.lesson import Lesson, lesson_of
from flows.stages.pretrained import pretraining_key, weights_of
from polyloom.durable import file_digest, publish_folder, read_json, write_json
from polyloom.progress import Progress

if TYPE_CHECKING:
    from torch import nn

    from training.pretraining_objectives import Objective

OnEpoch = Callable[[str, int, float, float], None]


def pretrain(job: Job, *, progress: Progress, on_epoch: OnEpoch) -> dict[str, Any]:
    """Pretrain every encoder that the scenario says so of; goes on where a killed run stopped."""
    done = job.finished("pretrain")
    if done is not None:
        return done
    names = list(job.scenario.pretrain)
    return job.finish("pretrain", {"encoders": {name: pretrained(job, name, progress, on_epoch) for name in names}})


def pretrained(job: Job, name: str, progress: Progress, on_epoch: OnEpoch) -> dict[str, Any]:
    """One encoder's weights, as a digest, and the course of their making; made only where nobody has yet."""
    lesson = lesson_of(job, name)
    key = pretraining_key(job, name, lesson.identity, rows=lesson.rows)
    folder = weights_of(key).parent
    if not folder.is_dir():
        facts, encoder = run(job, name, lesson, progress=progress, on_epoch=on_epoch)
        publish(folder, encoder, facts)
    return {"key": key, "weights": file_digest(weights_of(key)), **read_json(folder / "pretraining.json")}


def run(
    job: Job, name: str, lesson: Lesson, *, progress: Progress, on_epoch: OnEpoch
) -> tuple[dict[str, Any], "nn.Module"]:
    """Pretrain on a lesson."""
    from training.device import place
    from training.pretraining import Pretraining
    from training.process import set_up_process

    recipe, settings = job.scenario.recipe, job.scenario.pretrain[name]
    pace = pace_of(settings)
    set_up_process()
    encoder = build_encoder(job.scenario.modalities[name], seed=recipe.seed)
    objective = objective_of(job, name, lesson, encoder)
    result = Pretraining(
        objective=objective,
        rows=np.arange(lesson.rows),
        held_out=np.arange(lesson.rows, len(lesson.values)),
        folder=job.folder / "pretraining" / name,
        placement=place(recipe.precision),
        epochs=pace.epochs,
        seed=recipe.seed,
        batch_size=pace.batch_size,
        learning_rate=pace.learning_rate,
        patience=settings.patience,
        checkpoint_seconds=recipe.checkpoint_seconds,
        name=f"pretrain {name}",
        progress=progress,
        on_epoch=lambda epoch, loss, held_out: on_epoch(name, epoch, loss, held_out),
    ).run()
    facts = {
        "rows": lesson.rows,
        "losses": list(result.losses),
        "held_out_losses": [loss if np.isfinite(loss) else None for loss in result.held_out_losses],
        "resumed_at_step": result.resumed_at_step,
    }
    return facts, objective.encoder


def objective_of(job: Job, name: str, lesson: Lesson, encoder: "nn.Module") -> "Objective":
    """What an encoder is to learn of a lesson."""
    preparation = job.preparations[name]
    if lesson.labels is None:
        return build_objective(job.scenario, name, encoder=encoder, preparation=preparation, values=lesson.values)
    return label_objective(
        job.scenario,
        name,
        encoder=encoder,
        preparation=preparation,
        values=lesson.values,
        labels=lesson.labels,
        rows=lesson.rows,
    )


def publish(folder: Path, encoder: "nn.Module", facts: dict[str, Any]) -> None:
    """Weights and what is known of their making, in one step."""
    from safetensors.torch import save_file

    from training.checkpoint import contiguous

    with publish_folder(folder) as draft:
        save_file(contiguous(encoder.cpu().state_dict()), draft / "encoder.safetensors")
        write_json(draft / "pretraining.json", facts)
