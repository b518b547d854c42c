"""Strategies that train the encoder's own layers: none, the last ones, or all of them at rates that fall with depth."""

from torch import nn

from modalities.encoders.layers import parameter_layers
from polyloom.errors import RequestError
from training.strategies.tuning import Tuning, tuned


def attach_frozen(encoder: nn.Module) -> Tuning:
    """Nothing is trained."""
    return tuned(encoder, "frozen", ())


def attach_last_blocks(encoder: nn.Module, *, blocks: int, layer_decay: float) -> Tuning:
    """The last `blocks` transformer blocks or stages are trained. Raises RequestError when there are not so many."""
    layers = parameter_layers(encoder, coarse=True)
    if not 1 <= blocks < len(layers):
        raise RequestError(
            f"recipe.blocks: {blocks} of an encoder with {len(layers)} layers (the first are its embeddings or stem); "
            f"last_blocks takes 1 to {len(layers) - 1}. To train all of them write strategy: full."
        )
    chosen = {name for layer in layers[-blocks:] for name in layer}
    rates = layer_rates(encoder, layer_decay=layer_decay)
    return tuned(encoder, "last_blocks", {name: rate for name, rate in rates.items() if name in chosen})


def attach_full(encoder: nn.Module, *, layer_decay: float, unfreeze_epochs: int) -> Tuning:
    """All layers are trained, lower ones slower, and with `unfreeze_epochs` later.

    Howard and Ruder, "Universal Language Model Fine-tuning for Text Classification" (2018): discriminative rates and
    gradual unfreezing; the rates fall geometrically as in Clark et al., "ELECTRA" (2020). What the encoder itself
    names as `fixed` is not trained.
    """
    fixed = {f"backbone.{name}" for name in getattr(encoder, "fixed", ())}
    rates = layer_rates(encoder, layer_decay=layer_decay)
    trained = {name: rate for name, rate in rates.items() if name not in fixed}
    starts = unfreezing(encoder, epochs=unfreeze_epochs)
    return tuned(encoder, "full", trained, starts={name: epoch for name, epoch in starts.items() if name in trained})


def layer_rates(encoder: nn.Module, *, layer_decay: float) -> dict[str, float]:
    """Each parameter's share of the learning rate: 1 in the last layer, `layer_decay` times less in each below it."""
    if not 0.0 < layer_decay <= 1.0:
        raise RequestError(f"recipe.layer_decay: {layer_decay:g} is not allowed; it is above 0 and at most 1 (none).")
    layers = parameter_layers(encoder, coarse=False)
    top = len(layers) - 1
    return {name: layer_decay ** (top - depth) for depth, layer in enumerate(layers) for name in layer}


def unfreezing(encoder: nn.Module, *, epochs: int) -> dict[str, int]:
    """The first epoch of each parameter: 0 for the last layer, `epochs` for the lowest, even steps between them."""
    layers = parameter_layers(encoder, coarse=True)
    top = max(len(layers) - 1, 1)
    return {
        name: (top - depth) * epochs // top
        for depth, layer in enumerate(layers)
        for name in layer
        if (top - depth) * epochs // top > 0
    }
