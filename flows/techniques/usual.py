"""The usual techniques: which of them a scenario's fit may have, and what each changes in the scenario."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flows.modality_spec import Image, Text
from flows.spec import Scenario
from flows.strategies import LIVE_BATCH_SIZE, LIVE_EPOCHS, LIVE_LEARNING_RATE, fit_plans, is_trained, strategy_of
from flows.task_spec import Classification

STRATEGIES: Mapping[str, str] = {
    "full": "all of the encoder and the head",
    "frozen": "the encoder as it came; only the head learns",
    "last_blocks": "the last blocks of the encoder and the head",
    "bitfit": "the encoder's biases and the head",
    "lora": "low-rank matrices beside the encoder's layers",
    "ia3": "learned scales in the encoder",
    "adapter": "small layers between the encoder's own",
}
FROZEN_EPOCHS, FROZEN_RATE, FROZEN_BATCH = 30, 1e-3, 256


@dataclass(frozen=True)
class Technique:
    """One technique: paths of the scenario with their values, and in a few words what they do."""

    name: str
    what: str
    settings: Mapping[str, Any]


def usual_techniques(scenario: Scenario) -> Iterator[Technique]:
    """What may be tried on the plain baseline; a scenario may still refuse one of them."""
    yield from strategies(scenario)
    yield from losses(scenario)
    trained = [name for name in scenario.modalities if is_trained(scenario, name)]
    if trained:
        yield from averages(scenario, trained)
    else:
        yield Technique("ensemble", "five heads from other seeds, as one", {"recipe.ensemble": {"members": 5}})
    for name in trained:
        modality = scenario.modalities[name]
        if isinstance(modality, Text):
            yield from for_text(name)
        elif isinstance(modality, Image):
            yield from for_pictures(name)
    yield from smaller(scenario, trained)


def strategies(scenario: Scenario) -> Iterator[Technique]:
    """Ways to train more or less of encoders that know something."""
    known = [
        name
        for name, modality in scenario.modalities.items()
        if isinstance(modality, Image | Text) and modality.weights != "scratch"
    ]
    if not known:
        return
    own = frozenset(strategy_of(scenario, name, fit_plans(scenario)[-1]) for name in known)
    for strategy, what in STRATEGIES.items():
        if strategy not in own:
            yield Technique(strategy, what, {"recipe.strategy": strategy, **pace(strategy, own)})
    if "full" in own:
        yield Technique(
            "gradual_unfreezing",
            "layers join from the top down in half of the epochs",
            {"recipe.unfreeze_epochs": max(1, scenario.recipe.epochs // 2)},
        )


def pace(strategy: str, own: frozenset[str]) -> dict[str, Any]:
    """How long and fast a strategy is fitted: heads over finished embeddings go faster, through more epochs."""
    if strategy == "frozen":
        return {"recipe.epochs": FROZEN_EPOCHS, "recipe.learning_rate": FROZEN_RATE, "recipe.batch_size": FROZEN_BATCH}
    if own == frozenset({"frozen"}):
        return {
            "recipe.epochs": LIVE_EPOCHS,
            "recipe.learning_rate": LIVE_LEARNING_RATE,
            "recipe.batch_size": LIVE_BATCH_SIZE,
        }
    return {"recipe.encoder_learning_rate": None}


def losses(scenario: Scenario) -> Iterator[Technique]:
    """What changes the loss of a classification, whatever it reads."""
    tasks = [name for name, task in scenario.tasks.items() if isinstance(task, Classification)]
    if not tasks:
        return
    if not scenario.recipe.label_smoothing:
        yield Technique("label_smoothing", "a tenth of each label spread over all", {"recipe.label_smoothing": 0.1})
    focal: dict[str, Any] = {f"tasks.{task}.loss": "focal" for task in tasks}
    yield Technique("focal_loss", "rows that are answered rightly count less", {**focal, "recipe.label_smoothing": 0.0})
    for name, weights, what in (
        ("class_balance", "balanced", "rare classes count more"),
        ("effective_rows", "effective", "rare classes count more, by what rows are worth"),
    ):
        yield Technique(name, what, {f"tasks.{task}.class_weights": weights for task in tasks})
    yield Technique("mixup", "rows mixed with each other", {"recipe.mix": {"kind": "mixup"}})
    yield Technique("r_drop", "two passes with other units dropped, held together", {"recipe.r_drop": 1.0})


def averages(scenario: Scenario, trained: list[str]) -> Iterator[Technique]:
    """Models made of several states of the weights."""
    for kind, what in (
        ("ema", "the mean of the weights over all steps"),
        ("swa", "the mean of the weights over the last epochs"),
        ("soup", "the mean of the epochs that help each other"),
    ):
        yield Technique(f"average_{kind}", what, {"recipe.average": {"kind": kind}})
    if any(getattr(scenario.modalities[name], "weights", "") != "scratch" for name in trained):
        yield Technique(
            "average_interpolation",
            "weights on the way from the begin to the end",
            {"recipe.average": {"kind": "interpolation"}},
        )


def smaller(scenario: Scenario, trained: list[str]) -> Iterator[Technique]:
    """What makes the released graphs smaller or faster."""
    for name in trained:
        modality = scenario.modalities[name]
        if strategy_of(scenario, name, fit_plans(scenario)[-1]) == "full":
            for kind in ("magnitude", "structured"):
                yield Technique(
                    f"prune_{kind}",
                    "half of the encoder taken away while it learns",
                    {"recipe.prune": {"kind": kind, "modality": name}},
                )
        if isinstance(modality, Text) and modality.weights != "scratch":
            yield Technique("half_the_layers", "every other layer of the encoder", {f"modalities.{name}.layers": 3})
    encoders = [modality for modality in scenario.modalities.values() if isinstance(modality, Image | Text)]
    if encoders:
        kind = "dynamic" if isinstance(encoders[0], Text) else "static"
        yield Technique("int8", "whole numbers of 8 bits, where equal and faster", {"export.int8": kind})


def for_text(name: str) -> Iterator[Technique]:
    """What is for texts."""
    yield Technique("word_deletion", "a tenth of the words left out", {f"modalities.{name}.augment": "delete"})
    yield Technique("wordings", "four other wordings of each text", {f"modalities.{name}.variants": {"kind": "words"}})
    yield Technique("word_swap", "a tenth of the words exchanged", {f"modalities.{name}.augment": "swap"})
    for kind, settings in (("fgm", {"epsilon": 0.5}), ("freelb", {"epsilon": 0.5, "steps": 2})):
        yield Technique(
            f"adversarial_{kind}",
            "token embeddings moved to where the loss is highest",
            {"recipe.adversarial": {"kind": kind, "modality": name, **settings}},
        )
    yield Technique(
        "contrastive_pairs",
        "rows of one label brought together before the fit",
        {f"pretrain.{name}": {"kind": "contrastive", "epochs": 1, "label_names": True}},
    )
    yield Technique(
        "masked_language_model",
        "hidden words guessed in the training rows before the fit",
        {f"pretrain.{name}": {"kind": "masked_language", "epochs": 1}},
    )


def for_pictures(name: str) -> Iterator[Technique]:
    """What is for pictures."""
    yield Technique("flip", "pictures mirrored", {f"modalities.{name}.augment": "flip"})
    for policy in ("randaugment", "trivialaugment", "augmix"):
        yield Technique(policy, "pictures changed by a policy", {f"modalities.{name}.augment": policy})
    yield Technique("random_erasing", "a rectangle of each fourth picture lost", {f"modalities.{name}.erase": 0.25})
    yield Technique("crop_and_flip", "pictures cut and mirrored", {f"modalities.{name}.augment": "crop_flip"})
    yield Technique("cutmix", "parts of pictures put into others", {"recipe.mix": {"kind": "cutmix", "alpha": 1.0}})
    for kind, settings in (("fgsm", {"epsilon": 0.0157}), ("pgd", {"epsilon": 0.0157, "steps": 2})):
        yield Technique(
            f"adversarial_{kind}",
            "pixels moved to where the loss is highest",
            {"recipe.adversarial": {"kind": kind, "modality": name, **settings}},
        )
    for kind, what in (("masked_picture", "hidden patches"), ("denoising", "pictures under noise")):
        yield Technique(kind, f"{what} painted anew before the fit", {f"pretrain.{name}": {"kind": kind, "epochs": 3}})
