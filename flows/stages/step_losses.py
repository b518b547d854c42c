"""What holds a step to what was learned before it: elastic weights, or the former model's answers."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flows.continual_spec import Continual
from flows.stages.material import Material
from flows.strategies import FitPlan
from heads.decoding import ClassificationDecoder
from polyloom.durable import replace_file

if TYPE_CHECKING:
    from torch import Tensor

    from training.fitting import Fitting
    from training.former_answers import FormerAnswers
    from training.further_loss import FurtherLoss
    from training.model import ApplicationModel

IMPORTANCE = "importance.safetensors"
MakeLoss = Callable[["ApplicationModel"], "FurtherLoss"]


def further_loss(
    settings: Continual, material: Material, *, former: Material, plan: FitPlan, start: Path
) -> MakeLoss | None:
    """What a step's fit is held to; `former` and `start` are the material and folder of the step before."""
    from training.elastic_weights import ElasticWeights

    if settings.kind == "ewc":
        return lambda model: ElasticWeights(
            model, importance_so_far(material, former, model, start=start), weight=settings.strength
        )
    if settings.kind == "lwf":
        answers = former_answers(material, former, plan=plan, start=start, weight=settings.strength)
        return lambda _: answers
    return None


def former_answers(
    material: Material, former: Material, *, plan: FitPlan, start: Path, weight: float
) -> "FormerAnswers":
    """What the former model says of a step's rows, as they are without augmentation."""
    from training.former_answers import FormerAnswers

    task, _ = material.watch
    known, labels = labels_of(former), labels_of(material)
    rows = np.unique(material.rows.train)
    outputs, _ = former.ready(plan, folder=start, start=start).fitting.score(rows)
    logits = np.zeros((len(material.targets[task].truth["labels"]), len(known)), dtype=np.float32)
    logits[rows] = outputs[task]["logits"]
    return FormerAnswers(task=task, logits=logits, places=[labels.index(label) for label in known], weight=weight)


def leave_importance(
    material: Material, fitting: "Fitting", *, former: Material | None, start: Path | None, to: Path
) -> None:
    """Note how much each number mattered to a fitted step, added to how much it did to those before."""
    from safetensors.torch import save

    from training.elastic_weights import importance_of

    task, _ = material.watch
    rows, seed = np.unique(material.rows.train), material.job.scenario.recipe.seed
    found = importance_of(fitting, task=task, rows=rows, seed=seed)
    if former is not None and start is not None:
        before = importance_so_far(material, former, fitting.model, start=start)
        found = {name: one + before[name] for name, one in found.items()}
    replace_file(to / IMPORTANCE, save(found))


def importance_so_far(
    material: Material, former: Material, model: "ApplicationModel", *, start: Path
) -> dict[str, "Tensor"]:
    """How much each number mattered up to the step before; that of new labels nothing yet."""
    import torch
    from safetensors.torch import load_file

    from training.new_labels import with_new_labels

    saved = load_file(start / IMPORTANCE)
    fresh = {name: torch.zeros_like(one, device="cpu") for name, one in model.named_parameters() if name in saved}
    return with_new_labels(saved, fresh, known=labels_of(former), labels=labels_of(material))


def labels_of(material: Material) -> tuple[str, ...]:
    """The labels that the watched task knows."""
    decoder = material.targets[material.watch[0]].decoder
    if not isinstance(decoder, ClassificationDecoder):
        raise TypeError(f"a decoder of kind {decoder.kind!r} has no labels to learn in steps")
    return decoder.labels
