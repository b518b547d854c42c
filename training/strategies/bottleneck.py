"""Bottleneck adapters: small nets inside the frozen encoder that add to what passes through."""

from typing import Literal

from torch import Tensor, nn

from modalities.encoders.layers import feature_stages, transformer_blocks
from modalities.named import NamedModules
from polyloom.errors import RequestError
from training.strategies.tuning import Tuning, tuned

Placement = Literal["houlsby", "pfeiffer"]
ATTRIBUTE = "adapters"


class Adapter(nn.Module):
    """Down to a few features, through GELU, up again, added to the input; at first it adds nothing.

    `axis` is where the features stand: -1 for tokens [batch, tokens, dim], 1 for maps [batch, dim, height, width].
    """

    def __init__(self, *, dim: int, bottleneck: int, axis: Literal[1, -1] = -1) -> None:
        super().__init__()
        self.axis = axis
        self.down = nn.Linear(dim, bottleneck)
        self.up = nn.Linear(bottleneck, dim)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, given: Tensor) -> Tensor:
        """The input and what is added to it, of the input's shape."""
        last = given.movedim(self.axis, -1)
        changed: Tensor = last + self.up(nn.functional.gelu(self.down(last)))
        return changed.movedim(-1, self.axis)

    def after(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:  # noqa: ARG002
        """As a forward hook: what the module gives, adapted."""
        adapted: Tensor = self(output)
        return adapted


def attach_adapters(encoder: nn.Module, *, bottleneck: int, placement: Placement) -> Tuning:
    """Put adapters into the encoder and train nothing else; they stay beside it as `encoder.adapters`.

    Transformers: in each block after the feed-forward (Pfeiffer et al., "AdapterFusion", 2021), with `houlsby` after
    attention too (Houlsby et al., "Parameter-Efficient Transfer Learning for NLP", 2019), before the residual sum.
    Convolutional nets: after each stage (Rebuffi et al., "Learning multiple visual domains with residual adapters",
    2017). Raises RequestError where neither blocks nor stages are known.
    """
    places = block_places(encoder, placement) or stage_places(encoder)
    if not places:
        raise RequestError(
            f"strategy adapter: neither transformer blocks nor stages of this {type(encoder).__name__} are known. "
            "Use lora, last_blocks or full instead."
        )
    adapters = {
        name.replace(".", "_"): Adapter(dim=dim, bottleneck=bottleneck, axis=axis) for name, dim, axis in places
    }
    modules = dict(encoder.named_modules())
    for (name, _, _), adapter in zip(places, adapters.values(), strict=True):
        modules[name].register_forward_hook(adapter.after)
    added = NamedModules(adapters).to(next(encoder.parameters()).device)
    encoder.add_module(ATTRIBUTE, added)
    return tuned(encoder, "adapter", [f"{ATTRIBUTE}.{name}" for name, _ in added.named_parameters()])


def block_places(encoder: nn.Module, placement: Placement) -> list[tuple[str, int, Literal[1, -1]]]:
    """Module, width and axis of each place in a transformer's blocks."""
    places: list[tuple[str, int, Literal[1, -1]]] = []
    for prefix, block in transformer_blocks(encoder):
        layers = [(name, layer) for name, layer in block.named_modules() if isinstance(layer, nn.Linear)]
        outward = [number for number, (_, layer) in enumerate(layers) if layer.in_features > layer.out_features]
        attention = [number for number, (_, layer) in enumerate(layers) if layer.in_features == layer.out_features]
        wanted = [*(attention[-1:] if placement == "houlsby" else []), *outward[-1:]]
        places += [(f"{prefix}.{layers[number][0]}", layers[number][1].out_features, -1) for number in wanted]
    return places


def stage_places(encoder: nn.Module) -> list[tuple[str, int, Literal[1, -1]]]:
    """Module, width and axis of each stage of a picture model."""
    return [(stage.module, stage.channels, stage.channels_axis) for stage in feature_stages(encoder)]
