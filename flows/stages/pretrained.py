"""Where a run finds the encoders that it pretrained, and what their weights depend on."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flows.assembly import build_encoder
from flows.stages.job import Job
from flows.task_reads import gives_maps
from flows.zero_shot import hypotheses_of
from polyloom.durable import file_digest, json_digest
from polyloom.home import home

if TYPE_CHECKING:
    from torch import nn


def pretraining_key(job: Job, name: str, hashes: Sequence[str], *, rows: int) -> str:
    """What an encoder's pretrained weights depend on: model, start, settings, preparation, seed and the values."""
    settings = job.scenario.pretrain[name].model_dump(mode="json", exclude={"rows"})
    prepared = sorted((job.folder / "preparation" / name).iterdir())
    return json_digest(
        {
            "modality": job.scenario.modalities[name].model_dump(mode="json"),
            "settings": settings,
            "seed": job.scenario.recipe.seed,
            "precision": job.scenario.recipe.precision,
            "preparation": {path.name: file_digest(path) for path in prepared},
            "values": list(hashes),
            "rows": rows,
        }
    )


def weights_of(key: str) -> Path:
    """The weights that a pretraining left."""
    return home() / "cache" / "pretrained" / key / "encoder.safetensors"


def pretrained_weights(job: Job, name: str) -> Path | None:
    """The pretrained weights that this run begins with, or None where it begins with those that the scenario names."""
    done = job.finished("pretrain")
    return None if done is None or name not in done["encoders"] else weights_of(done["encoders"][name]["key"])


def starting_encoder(job: Job, name: str) -> "nn.Module":
    """An encoder as the fit takes it up: pretrained here, or as its weights came."""
    from safetensors.torch import load_file

    modality, maps = job.scenario.modalities[name], gives_maps(job.scenario, name)
    hypotheses = len(hypotheses_of(job.scenario, name))
    encoder = build_encoder(modality, seed=job.scenario.recipe.seed, maps=maps, hypotheses=hypotheses)
    weights = pretrained_weights(job, name)
    if weights is not None:
        encoder.load_state_dict(load_file(weights))
    return encoder
