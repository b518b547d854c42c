"""LoRA and IA3 through peft: a few new weights in each layer, which fold into the layer's own afterwards."""

import re
from collections.abc import Iterable, Sequence

from torch import nn

from modalities.encoders.layers import parameter_layers, transformer_blocks
from polyloom.errors import RequestError
from training.strategies.tuning import Tuning, tuned

# How the projections to keys and values are called in the models of transformers and timm; `qkv` holds all three.
KEYS_AND_VALUES = ("key", "value", "k_lin", "v_lin", "k_proj", "v_proj", "attn.k", "attn.v", "qkv")


def attach_lora(encoder: nn.Module, *, rank: int, alpha: float, dropout: float, targets: Sequence[str] = ()) -> Tuning:
    """Add to each linear layer and ungrouped convolution a product of two thin matrices, alpha / rank times.

    Hu et al., "LoRA" (2021); all layers rather than attention alone as in Dettmers et al., "QLoRA" (2023).
    """
    from peft import LoraConfig, inject_adapter_in_model

    names = chosen(encoder, [name for name, layer in plain_layers(encoder) if is_dense(layer)], targets)
    configuration = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=exactly(names))  # type: ignore[arg-type]
    inject_adapter_in_model(configuration, encoder)
    return tuned(encoder, "lora", added_parameters(encoder, "lora_"))


def attach_ia3(encoder: nn.Module, *, targets: Sequence[str] = ()) -> Tuning:
    """Scale keys, values and the feed-forward's hidden units, or a convolution's channels, by learned numbers.

    Liu et al., "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning" (2022).
    """
    from peft import IA3Config, inject_adapter_in_model

    forward = feed_forward_outputs(encoder)
    names = chosen(encoder, ia3_layers(encoder, forward), targets)
    configuration = IA3Config(
        target_modules=exactly(names),
        feedforward_modules=exactly([name for name in names if name in forward]) if set(names) & set(forward) else [],
    )
    inject_adapter_in_model(configuration, encoder)
    return tuned(encoder, "ia3", added_parameters(encoder, "ia3_"))


def fold(encoder: nn.Module) -> None:
    """Multiply what LoRA or IA3 learned into the layers and take it out again, in place; else nothing happens."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers = [(name, layer) for name, layer in encoder.named_modules() if isinstance(layer, BaseTunerLayer)]
    for name, layer in layers:
        layer.merge(safe_merge=True)
        parent, _, child = name.rpartition(".")
        setattr(encoder.get_submodule(parent), child, layer.get_base_layer())
    for module in encoder.modules():
        vars(module).pop("peft_config", None)


def plain_layers(encoder: nn.Module) -> list[tuple[str, nn.Module]]:
    """The linear layers and convolutions that an embedding depends on."""
    used = {name.rpartition(".")[0] for layer in parameter_layers(encoder, coarse=True) for name in layer}
    return [
        (name, layer)
        for name, layer in encoder.named_modules()
        if name in used and isinstance(layer, nn.Linear | nn.Conv2d)
    ]


def is_dense(layer: nn.Module) -> bool:
    """Whether every input meets every output; a depthwise convolution has no low rank to speak of."""
    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.groups == 1)


def ia3_layers(encoder: nn.Module, forward: Sequence[str]) -> list[str]:
    """In transformers the projections to keys and values and the feed-forward's way out; else all convolutions."""
    layers = dict(plain_layers(encoder))
    if transformer_blocks(encoder):
        return [name for name in layers if name in forward or ends_with(name, KEYS_AND_VALUES)]
    return [name for name, layer in layers.items() if isinstance(layer, nn.Conv2d)]


def feed_forward_outputs(encoder: nn.Module) -> list[str]:
    """In each block of a transformer, the linear layer that leads back to the narrower width."""
    return [
        f"{place}.{name}"
        for place, block in transformer_blocks(encoder)
        for name, layer in block.named_modules()
        if isinstance(layer, nn.Linear) and layer.in_features > layer.out_features
    ]


def chosen(encoder: nn.Module, fitting: Sequence[str], targets: Sequence[str]) -> list[str]:
    """The layers to change. Raises RequestError when there are none, or a target is the end of none of their names."""
    if not fitting:
        raise RequestError(
            f"{type(encoder).__name__} has no layer that this strategy could change. Use last_blocks or full instead."
        )
    for target in targets:
        if not any(ends_with(name, (target,)) for name in fitting):
            known = sorted({re.sub(r"\d+\.", "", name).rpartition(".")[2] for name in fitting})
            raise RequestError(f"targets: no layer's name ends in {target!r}; they end in {', '.join(known)}.")
    return [name for name in fitting if not targets or ends_with(name, targets)]


def ends_with(name: str, ends: Iterable[str]) -> bool:
    """Whether a dotted name ends in one of these dotted ends."""
    return any(name == end or name.endswith(f".{end}") for end in ends)


def exactly(names: Sequence[str]) -> str:
    """A pattern for these names alone: peft takes a list as ends of names."""
    return "|".join(re.escape(name) for name in names)


def added_parameters(encoder: nn.Module, mark: str) -> list[str]:
    """The parameters that peft put in."""
    return [name for name, _ in encoder.named_parameters() if f".{mark}" in name]
