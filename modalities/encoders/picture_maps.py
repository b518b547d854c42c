"""Picture encoders that also give feature maps: any timm model that has them at several scales."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from modalities.encoders.embeddings import Embeddings
from modalities.encoders.picture import build_picture_encoder
from polyloom.errors import RequestError

FINEST = 16


@dataclass(frozen=True)
class MapShape:
    """The shape of one feature map, whatever the batch."""

    channels: int
    rows: int
    columns: int


class PictureMapsEncoder(nn.Module):
    """Pixels [batch, 3, size, size] to a pooled embedding and maps [batch, channels, rows, columns], fine to coarse.

    The coarsest map is what the model's own classifier pools, where that is a map: so the maps carry all it knows.
    `places` are the numbers of the maps among timm's; what the map of number `fixed` rests on is never trained. With
    `steady` batch norm stays in eval mode, as in torchvision's detectors: their batches are too small for statistics.
    """

    reads = ("pixels",)

    def __init__(
        self, *, backbone: nn.Module, dim: int, places: Sequence[int], fixed: int | None = None, steady: bool = True
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.dim = dim
        self.places = tuple(places)
        self.steady = steady
        self.fixed = frozenset() if fixed is None else names_below(backbone, fixed)
        self.requires_grad_()

    def forward(self, pixels: Tensor) -> Embeddings:
        """Embeddings of a batch."""
        last, maps = self.backbone.forward_intermediates(pixels, indices=list(self.places))  # type: ignore[operator]
        pooled = self.backbone.forward_head(last, pre_logits=True)  # type: ignore[operator]
        # Some models go on after their last map, others turn it into another form.
        coarsest = last if last.shape[2:] == maps[-1].shape[2:] else maps[-1]
        return Embeddings(pooled=pooled, maps=(*maps[:-1], coarsest))

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002
        """Switch all, but for steady batch norm."""
        super().train(mode)
        for module in self.modules():
            if self.steady and isinstance(module, _BatchNorm):
                module.eval()
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:  # noqa: FBT001, FBT002
        """Train all but the fixed part, or nothing."""
        for name, parameter in self.backbone.named_parameters():
            parameter.requires_grad_(requires_grad and name not in self.fixed)
        return self


def build_picture_maps_encoder(
    *, model: str, weights: str, finest: int = FINEST, fixed_to: int = 8
) -> PictureMapsEncoder:
    """An encoder with its weights loaded, whose finest map has a cell for `finest` x `finest` pixels or the next size.

    The layers below the map of `fixed_to` pixels a cell are not trained: edges and textures are the same in every
    task, and these layers cost most of a step. 0 trains all. From scratch everything is trained, batch norm too.

    Raises RequestError for a model without such maps, WeightsError without weights.
    """
    encoder = build_picture_encoder(model=model, weights=weights)
    steps = reductions(encoder.backbone, model=model)
    known = weights != "scratch"
    below = [place for place, step in enumerate(steps) if step <= fixed_to]
    return PictureMapsEncoder(
        backbone=encoder.backbone,
        dim=encoder.dim,
        places=[place for place, step in enumerate(steps) if step >= finest],
        fixed=below[-1] if below and known else None,
        steady=known,
    )


@functools.cache
def map_shapes(*, model: str, size: int, finest: int = FINEST) -> tuple[MapShape, ...]:
    """The maps of a model over pictures of this size, fine to coarse. Raises RequestError for a model without maps."""
    encoder = build_picture_maps_encoder(model=model, weights="scratch", finest=finest).eval()
    with torch.inference_mode():
        maps = encoder(torch.zeros(1, 3, size, size)).maps
    return tuple(MapShape(*given.shape[1:]) for given in maps)


def reductions(backbone: nn.Module, *, model: str) -> list[int]:
    """How many pixels a cell of each of timm's maps stands for, along a side. Raises RequestError without such maps."""
    described: Any = getattr(backbone, "feature_info", None) or []
    entries = described if isinstance(described, list) else described.get_dicts()
    steps = [int(entry["reduction"]) for entry in entries]
    if not hasattr(backbone, "forward_intermediates") or len(set(steps)) < 2 or steps != sorted(set(steps)):
        raise RequestError(
            f"{model!r} gives no feature maps at several scales, which a detector needs. "
            "Take a convolutional model such as 'mobilenetv2_100', 'resnet18' or 'convnext_atto'."
        )
    return steps


def names_below(backbone: nn.Module, place: int) -> frozenset[str]:
    """The parameters that timm's map of this number depends on, found by its gradient."""
    mode = backbone.training
    backbone.eval()
    names, parameters = zip(*backbone.named_parameters(), strict=True)
    for parameter in parameters:
        parameter.requires_grad_()
    side = 64
    (found,) = backbone.forward_intermediates(  # type: ignore[operator]
        torch.zeros(1, 3, side, side), indices=[place], intermediates_only=True
    )
    gradients = torch.autograd.grad(found.sum(), parameters, allow_unused=True)
    backbone.train(mode)
    return frozenset(name for name, gradient in zip(names, gradients, strict=True) if gradient is not None)
