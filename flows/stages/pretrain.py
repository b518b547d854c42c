"""Pretraining: an encoder learns from training rows without labels, once for all runs that would do the same."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.assembly import build_encoder
from flows.pretrain_assembly import build_objective
from flows.stages.job import Job, modality_values
from flows.stages.pretrained import pretraining_key, weights_of
from polyloom.durable import file_digest, publish_folder, read_json, write_json
from polyloom.errors import DataError
from polyloom.progress import Progress

if TYPE_CHECKING:
    from torch import nn

HELD_OUT = 1000
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
    rows, held_out = unlabelled(job, name)
    key = pretraining_key(job, name, [digest for digest, _ in [*rows, *held_out]], rows=len(rows))
    folder = weights_of(key).parent
    if not folder.is_dir():
        values = [value for _, value in [*rows, *held_out]]
        facts, encoder = run(job, name, values, rows=len(rows), progress=progress, on_epoch=on_epoch)
        publish(folder, encoder, facts)
    return {"key": key, "weights": file_digest(weights_of(key)), **read_json(folder / "pretraining.json")}


def unlabelled(job: Job, name: str) -> tuple[list[tuple[str, object]], list[tuple[str, object]]]:
    """Distinct values to learn from, of training rows, and some to look at, of validation rows, each with its hash.

    What stands in a test row of the tasks is left out, in whichever table it comes again.
    """
    settings, preparation = job.scenario.pretrain[name], job.preparations[name]
    tested = {given for row, given in hashed(job, name, job.task_rows) if row["_split"] == "test"}
    parts: dict[str, dict[str, object]] = {"validation": {}, "train": {}}
    for table in settings.rows or job.task_tables:
        for row, digest in hashed(job, name, job.rows(table)):
            if digest is not None and digest not in tested and row["_split"] in parts:
                parts[str(row["_split"])].setdefault(digest, preparation.value(row))
    held_out = list(parts["validation"].items())[:HELD_OUT]
    rows = [pair for pair in parts["train"].items() if pair[0] not in parts["validation"]]
    if len(rows) < 2:
        raise DataError(
            f"pretrain.{name}: {len(rows)} training row(s) have something to learn from; two are the least. "
            f"Name tables with more under pretrain.{name}.rows."
        )
    return rows, held_out


def hashed(job: Job, name: str, rows: list[dict[str, object]]) -> list[tuple[dict[str, object], str | None]]:
    """Rows, each with the hash of its value of a modality."""
    return list(zip(rows, modality_values(job.preparations[name], rows).hashes, strict=True))


def run(
    job: Job, name: str, values: list[object], *, rows: int, progress: Progress, on_epoch: OnEpoch
) -> tuple[dict[str, Any], "nn.Module"]:
    """Pretrain on the first `rows` values, looking at the others."""
    from training.device import place
    from training.pretraining import Pretraining
    from training.process import set_up_process

    recipe, settings = job.scenario.recipe, job.scenario.pretrain[name]
    set_up_process()
    encoder = build_encoder(job.scenario.modalities[name], seed=recipe.seed)
    objective = build_objective(job.scenario, name, encoder=encoder, preparation=job.preparations[name], values=values)
    result = Pretraining(
        objective=objective,
        rows=np.arange(rows),
        held_out=np.arange(rows, len(values)),
        folder=job.folder / "pretraining" / name,
        placement=place(recipe.precision),
        epochs=settings.epochs,
        seed=recipe.seed,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        checkpoint_seconds=recipe.checkpoint_seconds,
        name=f"pretrain {name}",
        progress=progress,
        on_epoch=lambda epoch, loss, held_out: on_epoch(name, epoch, loss, held_out),
    ).run()
    facts = {
        "rows": rows,
        "losses": list(result.losses),
        "held_out_losses": [loss if np.isfinite(loss) else None for loss in result.held_out_losses],
        "resumed_at_step": result.resumed_at_step,
    }
    return facts, objective.encoder


def publish(folder: Path, encoder: "nn.Module", facts: dict[str, Any]) -> None:
    """Weights and what is known of their making, in one step."""
    from safetensors.torch import save_file

    from training.checkpoint import contiguous

    with publish_folder(folder) as draft:
        save_file(contiguous(encoder.cpu().state_dict()), draft / "encoder.safetensors")
        write_json(draft / "pretraining.json", facts)
