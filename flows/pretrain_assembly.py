"""From what a scenario says of pretraining to an objective."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flows.modality_spec import Image
from flows.spec import Scenario
from modalities.preparation.pictures import PicturePreparation
from modalities.preparation.protocol import Preparation
from modalities.preparation.text import TextPreparation

if TYPE_CHECKING:
    from torch import nn

    from training.pretraining_objectives import Objective

MASK_OF_TEXT, MASK_OF_PICTURES, NOISE = 0.15, 0.6, 0.5


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
