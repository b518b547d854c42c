"""From what a scenario says of pretraining to an objective."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from flows.modality_spec import Image, Pretrain
from flows.spec import Scenario
from modalities.preparation.pictures import PicturePreparation
from modalities.preparation.protocol import Preparation
from modalities.preparation.text import TextPreparation

if TYPE_CHECKING:
    from torch import nn

    from training.pretraining_objectives import Objective

MASK_OF_TEXT, MASK_OF_PICTURES, NOISE = 0.15, 0.6, 0.5
TEMPERATURE = 0.1


class Pace(NamedTuple):
    """How long and how fast an encoder learns before the fit."""

    epochs: int
    batch_size: int
    learning_rate: float


USUAL_PACE = Pace(epochs=5, batch_size=64, learning_rate=5e-4)
# Few labelled rows are soon known by heart: some steps are enough, and small ones.
CONTRASTIVE_PACE = Pace(epochs=3, batch_size=32, learning_rate=5e-5)


def pace_of(settings: Pretrain) -> Pace:
    """The scenario's own figures, else those usual for the kind."""
    usual = CONTRASTIVE_PACE if settings.kind == "contrastive" else USUAL_PACE
    return Pace(
        epochs=settings.epochs or usual.epochs,
        batch_size=settings.batch_size or usual.batch_size,
        learning_rate=settings.learning_rate or usual.learning_rate,
    )


def label_objective(
    scenario: Scenario,
    name: str,
    *,
    encoder: "nn.Module",
    preparation: Preparation,
    values: Sequence[object],
    labels: Sequence[str],
    rows: int,
) -> "Objective":
    """Values of one label brought together; those from number `rows` on are held out."""
    from training.inputs import live_source
    from training.label_contrast import LabelContrast

    modality = scenario.modalities[name]
    augmentation = modality.augment if isinstance(modality, Image) else "none"
    return LabelContrast(
        encoder=encoder,
        source=live_source(preparation=preparation, values=values, augmentation=augmentation),
        labels=np.unique(labels, return_inverse=True)[1],
        held_out=np.arange(len(values)) >= rows,
        temperature=scenario.pretrain[name].temperature or TEMPERATURE,
    )


def build_objective(
    scenario: Scenario, name: str, *, encoder: "nn.Module", preparation: Preparation, values: Sequence[object]
) -> "Objective":
    """What an encoder is to guess. Raises TypeError for a modality that has no encoder."""
    from modalities.encoders.picture import PictureEncoder
    from modalities.encoders.text import TextEncoder
    from training.pretraining_objectives import MaskedLanguage, PictureRepainting

    settings, modality = scenario.pretrain[name], scenario.modalities[name]
    if isinstance(encoder, TextEncoder) and isinstance(preparation, TextPreparation):
        return MaskedLanguage(
            encoder=encoder,
            preparation=preparation,
            values=[str(value) for value in values],
            share=settings.mask or MASK_OF_TEXT,
            unit=settings.unit or "token",
        )
    if isinstance(encoder, PictureEncoder) and isinstance(preparation, PicturePreparation):
        return PictureRepainting(
            encoder=encoder,
            preparation=preparation,
            values=values,
            task="denoising" if settings.kind == "denoising" else "masked",
            share=settings.mask or MASK_OF_PICTURES,
            patch=settings.patch,
            noise=settings.noise or NOISE,
            augmentation=modality.augment if isinstance(modality, Image) else "none",
        )
    raise TypeError(f"a modality of kind {modality.kind!r} has no encoder to pretrain")
