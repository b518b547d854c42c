"""An encoder's layers from the input upward, whatever its family: what fine-tuning strategies go by.

Names are those of `named_parameters()` and `named_modules()` of the encoder.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from torch import nn

from modalities.encoders.picture import PictureEncoder
from modalities.encoders.picture_maps import PictureMapsEncoder
from modalities.encoders.text import TextEncoder

# A BERT's pooler is loaded with its weights, but no encoder of ours reads it.
UNUSED = "pooler."
BACKBONE = "backbone."


@dataclass(frozen=True)
class FeatureStage:
    """A module of a picture model that gives a feature map of `channels`, which stand on axis 1 or on the last."""

    module: str
    channels: int
    channels_axis: Literal[1, -1]


def parameter_layers(encoder: nn.Module, *, coarse: bool) -> list[tuple[str, ...]]:
    """The names of the parameters of each layer, from the input upward; every used parameter stands in one layer.

    A layer is a transformer block or, in a convolutional net, a block; with `coarse` a stage. The embeddings or the
    stem come first. Picture models are divided by timm's own `group_matcher` where they have one.
    """
    if isinstance(encoder, PictureEncoder | PictureMapsEncoder) and hasattr(encoder.backbone, "group_matcher"):
        return picture_layers(encoder, coarse=coarse)
    if isinstance(encoder, TextEncoder):
        return text_layers(encoder)
    inner = getattr(encoder, "backbone", encoder)
    prefix = "" if inner is encoder else BACKBONE
    return [
        tuple(prefix + name for name in names)
        for _, group in groupby(used_names(inner), key=lambda name: name.partition(".")[0])
        if (names := list(group))
    ]


def picture_layers(encoder: PictureEncoder | PictureMapsEncoder, *, coarse: bool) -> list[tuple[str, ...]]:
    """Layers of a timm model, as its `group_matcher` divides it."""
    from timm.models import group_parameters

    matcher = encoder.backbone.group_matcher(coarse=coarse)  # type: ignore[operator]
    groups = group_parameters(encoder.backbone, matcher)
    return [tuple(BACKBONE + name for name in groups[number]) for number in sorted(groups)]


def text_layers(encoder: TextEncoder) -> list[tuple[str, ...]]:
    """The embeddings, then one layer a block; what comes after the blocks belongs to the last of them."""
    names = list(used_names(encoder.backbone))
    prefixes = [f"{name}." for name, _ in blocks_of(encoder.backbone)]
    layers: list[list[str]] = [[] for _ in range(len(prefixes) + 1)]
    reached = 0
    for name in names:
        found = [number for number, prefix in enumerate(prefixes, 1) if name.startswith(prefix)]
        reached = found[0] if found else reached
        layers[reached].append(BACKBONE + name)
    return [tuple(layer) for layer in layers if layer]


def transformer_blocks(encoder: nn.Module) -> list[tuple[str, nn.Module]]:
    """The blocks of a transformer by name, from the input upward; empty where the encoder is none.

    Of picture models those of one row of blocks with attention: ViT, DeiT, BEiT, EVA; not Swin's stages.
    """
    inner = getattr(encoder, "backbone", None)
    if isinstance(encoder, TextEncoder) and inner is not None:
        return [(BACKBONE + name, block) for name, block in blocks_of(inner)]
    blocks = getattr(inner, "blocks", None)
    if not isinstance(blocks, nn.Sequential | nn.ModuleList) or not all(hasattr(block, "attn") for block in blocks):
        return []
    return [(f"{BACKBONE}blocks.{number}", block) for number, block in enumerate(blocks)]


def blocks_of(backbone: nn.Module) -> list[tuple[str, nn.Module]]:
    """The children of the outermost list of modules that holds the most weights."""
    lists = {name: module for name, module in backbone.named_modules() if isinstance(module, nn.ModuleList)}
    outer = {name: found for name, found in lists.items() if not any(name.startswith(f"{other}.") for other in lists)}
    if not outer:
        return []
    name = max(outer, key=lambda key: sum(parameter.numel() for parameter in outer[key].parameters()))
    return [(f"{name}.{number}", block) for number, block in enumerate(outer[name])]


def token_blocks(encoder: nn.Module) -> tuple[list[tuple[str, nn.Module]], int] | None:
    """A picture transformer's blocks and how many special tokens stand first; None where tokens cannot be put in.

    Only for models whose blocks take any number of tokens: positions are added before the first block.
    """
    from timm.models.vision_transformer import VisionTransformer

    backbone = getattr(encoder, "backbone", None)
    if not isinstance(backbone, VisionTransformer) or getattr(backbone, "rope", None) is not None:
        return None
    return transformer_blocks(encoder), int(backbone.num_prefix_tokens)


def feature_stages(encoder: nn.Module) -> list[FeatureStage]:
    """Where a picture model's feature maps come out, from the input upward; empty where timm does not say."""
    backbone = getattr(encoder, "backbone", None)
    stages = getattr(backbone, "feature_info", None)
    if not isinstance(encoder, PictureEncoder) or not stages:
        return []
    modules = dict(encoder.named_modules())
    last = getattr(backbone, "output_fmt", "NCHW") == "NHWC"
    return [
        FeatureStage(BACKBONE + stage["module"], int(stage["num_chs"]), -1 if last else 1)
        for stage in stages
        if BACKBONE + stage["module"] in modules
    ]


def used_names(module: nn.Module) -> Iterator[str]:
    """Names of the parameters that an embedding depends on."""
    return (name for name, _ in module.named_parameters() if not name.startswith(UNUSED))
