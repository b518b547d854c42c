"""Which places of a picture speak for an answer, by the last feature map of its encoder: any timm model that has one.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization" (2017).
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from polyloom.errors import RequestError
from training.attribution import ExplainedRow
from training.fitting import on_cpu

LEAST_PLACES = 4


def grad_cam(row: ExplainedRow, name: str) -> np.ndarray:
    """The weights of the map's places [height, width], never below 0.

    Raises RequestError for an encoder without a map of enough places.
    """
    from captum.attr import LayerGradCam

    pixels = row.batch.arrays[name]["pixels"].detach().clone().requires_grad_()
    layer = map_layer(row.model.encoders[name], pixels)
    if layer is None:
        raise RequestError(
            f"The picture encoder of {name!r} has no feature map of at least {LEAST_PLACES} x {LEAST_PLACES} places at "
            f"{pixels.shape[2]} pixels, which Grad-CAM needs. Take integrated_gradients or occlusion."
        )
    found = LayerGradCam(row.with_array(name, "pixels"), layer).attribute(pixels, relu_attributions=True)
    return on_cpu(cast("Tensor", found)[0, 0].detach())


def map_layer(encoder: nn.Module, pixels: Tensor) -> nn.Module | None:
    """The layer with the last map [1, channels, height, width] of enough places, or None.

    One of timm's feature layers; behind the last of these, the last layer that still gives a map of its size, which is
    what is pooled.
    """
    backbone = cast("nn.Module", encoder.backbone)
    known = {str(info["module"]): int(info["num_chs"]) for info in getattr(backbone, "feature_info", [])}
    shapes = shapes_of(encoder, backbone, pixels)
    fitting = [
        name
        for name, channels in known.items()
        if len(shape := shapes.get(name, ())) == 4 and shape[1] == channels and min(shape[2:]) >= LEAST_PLACES
    ]
    if not fitting:
        return None
    last = fitting[-1]
    if last == list(known)[-1]:
        size, order = shapes[last][2:], list(shapes)
        behind = order[order.index(last) :]
        last = [name for name in behind if len(shapes[name]) == 4 and shapes[name][2:] == size][-1]
    return backbone.get_submodule(last)


def shapes_of(encoder: nn.Module, backbone: nn.Module, pixels: Tensor) -> dict[str, tuple[int, ...]]:
    """The shapes of what the backbone's layers give, by their names, in the order in which they end."""
    shapes: dict[str, tuple[int, ...]] = {}

    def noted(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def note(module: nn.Module, inputs: Any, output: Any) -> None:  # noqa: ARG001
            if isinstance(output, Tensor):
                shapes[name] = tuple(output.shape)

        return note

    handles = [layer.register_forward_hook(noted(name)) for name, layer in backbone.named_modules() if name]
    try:
        with torch.no_grad():
            encoder(pixels)
    finally:
        for handle in handles:
            handle.remove()
    return shapes
