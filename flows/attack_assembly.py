"""From what a scenario says of attacks to what carries them out."""

from typing import TYPE_CHECKING

from flows.modality_spec import Image, Text
from flows.recipe import Adversarial
from flows.scenario_columns import task_inputs
from flows.spec import Attacked, Scenario
from flows.strategies import is_trained

if TYPE_CHECKING:
    from torch import nn

    from modalities.preparation.protocol import Preparation
    from training.adversarial import Adversary
    from training.attack import Attack, Place

# What each attack can move.
ATTACKED_KINDS: dict[str, tuple[str, ...]] = {
    "fgm": ("text",),
    "freelb": ("text",),
    "fgsm": ("image",),
    "pgd": ("text", "image"),
}


def attackable(scenario: Scenario, kind: str, *, trained: bool) -> tuple[str, ...]:
    """The modalities that an attack of this kind can move; with `trained` those whose encoder is."""
    return tuple(
        name
        for name, modality in scenario.modalities.items()
        if isinstance(modality, Image | Text)
        and modality.kind in ATTACKED_KINDS[kind]
        and not (isinstance(modality, Text) and modality.form == "entailment")
        and (not trained or is_trained(scenario, name))
    )


def trained_and_attacked(scenario: Scenario, given: Adversarial) -> str:
    """The modality that is attacked in training: the one named, or the only one that can be."""
    return given.modality or attackable(scenario, given.kind, trained=True)[0]


def measured_and_attacked(scenario: Scenario, task: str, given: Attacked) -> str:
    """The modality that is attacked when a task is measured: the one named, or the only one that it reads."""
    read = task_inputs(scenario, task)
    return given.modality or next(name for name in attackable(scenario, given.kind, trained=False) if name in read)


def attack_place(name: str, *, preparation: "Preparation", encoder: "nn.Module") -> "Place":
    """Where a modality is attacked: a picture's pixels, a text's token embeddings."""
    from modalities.preparation.pictures import PicturePreparation
    from training.attack_places import PixelPlace, TokenPlace

    if isinstance(preparation, PicturePreparation):
        return PixelPlace(name=name, mean=preparation.mean, deviation=preparation.deviation)
    return TokenPlace(name=name, encoder=encoder)


def build_attack(given: Adversarial | Attacked) -> "Attack":
    """An attack, flat."""
    from training.attack import Attack

    return Attack(kind=given.kind, epsilon=given.epsilon, steps=given.steps, step_size=given.step_size)


def build_adversary(given: Adversarial, place: "Place") -> "Adversary":
    """What attacks a fit."""
    from training.adversarial import Adversary

    return Adversary(attack=build_attack(given), place=place, weight=given.weight)
