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
    """The last of timm's feature layers that gives a map [1, channels, height, width] of enough places, or None."""
    backbone = cast("nn.Module", encoder.backbone)
    known = list(getattr(backbone, "feature_info", []))
    layers = {info["module"]: (backbone.get_submodule(info["module"]), info["num_chs"]) for info in known}
    shapes: dict[str, torch.Size] = {}
    handles = [layer.register_forward_hook(noted(shapes, name)) for name, (layer, _) in layers.items()]
    try:
        with torch.no_grad():
            encoder(pixels)
    finally:
        for handle in handles:
            handle.remove()
    fitting = [
        layer
        for name, (layer, channels) in layers.items()
        if len(shape := shapes.get(name, torch.Size())) == 4 and shape[1] == channels and min(shape[2:]) >= LEAST_PLACES
    ]
    return fitting[-1] if fitting else None


def noted(shapes: dict[str, torch.Size], name: str) -> Callable[[nn.Module, Any, Any], None]:
    """A hook that notes the shape of what a layer gives."""

    def note(module: nn.Module, inputs: Any, output: Any) -> None:  # noqa: ARG001
        if isinstance(output, Tensor):
            shapes[name] = output.shape

    return note
