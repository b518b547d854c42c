"""What each modality is worth to a task, measured on the test rows with the graph that will be released."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from flows.stages.job import Job
from heads.decoder import Decoder, Truth
from heads.onnx import OnnxHead
from heads.robustness import ModalityWorth, modality_worth

DIGITS = 6


def worth_of_modalities(
    job: Job,
    task: str,
    head: OnnxHead,
    *,
    decoder: Decoder,
    truth: Truth,
    embeddings: Mapping[str, np.ndarray],
    present: Mapping[str, np.ndarray],
    folder: Path,
) -> dict[str, Any]:
    """The task's metric with each modality removed, shuffled and noised, by modality; drawn where there are several.

    `truth`, `embeddings` and `present` are those of the test rows.
    """

    def answer(given: Mapping[str, np.ndarray], here: Mapping[str, np.ndarray]) -> np.ndarray:
        return decoder.comparable(head(given, here), truth)[1]

    metric = metric_of(job, task, decoder)
    known, _ = decoder.comparable(head(embeddings, present), truth)
    found = modality_worth(
        answer,
        truth=known,
        embeddings={name: embeddings[name] for name in head.inputs},
        present={name: present[name] for name in head.inputs},
        scorer=decoder.scorers[metric],
        seed=job.scenario.recipe.seed,
    )
    if len(found) > 1:
        from flows.modality_pictures import modality_bars

        title = f"{job.scenario.title}: {task}"
        modality_bars(folder / f"{task}_modalities.png", worth=found, metric=metric, title=title)
    return {name: {"metric": metric, **figures(one)} for name, one in found.items()}


def metric_of(job: Job, task: str, decoder: Decoder) -> str:
    """The metric that a task is judged by: the gate's where it names the task, else its kind's usual one."""
    watched, _, metric = job.scenario.gate.metric.partition(".")
    return metric if watched == task else next(iter(decoder.scorers))


def figures(worth: ModalityWorth) -> dict[str, Any]:
    """Figures as they are reported, rounded; what is no number is None."""
    return {name: plain(value) for name, value in worth.to_json().items()}


def plain(value: Any) -> Any:
    """A figure, or figures by name, rounded."""
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, float):
        return round(value, DIGITS) if np.isfinite(value) else None
    return value
