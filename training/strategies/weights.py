"""A fitted encoder's weights: the backbone's own, which any model of its kind loads, apart from what was added."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from polyloom.errors import IntegrityError
from training.strategies.low_rank import fold

# Where learned weights lie that do not fold into the backbone, and where peft then keeps the backbone itself.
ADDED = ("adapters.", "prompts.", "backbone.inner.prompt_encoder.")
WRAPPED = "backbone.inner.base_model."
PLAIN = "backbone."
# peft also lists the word embeddings under a name of its own.
REPEATED = "backbone.inner."


@dataclass(frozen=True)
class FittedWeights:
    """`plain` fits the encoder as it is built; `added` is empty unless the strategy leaves weights beside it."""

    plain: dict[str, Tensor]
    added: dict[str, Tensor]


def merge(encoder: nn.Module) -> nn.Module:
    """Fold into the encoder, in place, whatever can be folded: after LoRA and IA3 it is a plain encoder again."""
    fold(encoder)
    return encoder


def fitted_weights(encoder: nn.Module) -> FittedWeights:
    """The weights of a merged encoder, buffers such as batch norm's statistics with them."""
    plain: dict[str, Tensor] = {}
    added: dict[str, Tensor] = {}
    for name, tensor in encoder.state_dict().items():
        if name.startswith(ADDED):
            added[name] = tensor
        elif name.startswith(WRAPPED):
            plain[PLAIN + name.removeprefix(WRAPPED)] = tensor
        elif not name.startswith(REPEATED):
            plain[name] = tensor
    return FittedWeights(plain=plain, added=added)


def load_added(encoder: nn.Module, added: Mapping[str, Tensor]) -> None:
    """Put the added weights into an encoder to which the same strategy was attached.

    Raises IntegrityError where they are not those of this strategy and its settings.
    """
    own = fitted_weights(encoder).added
    wrong = sorted(
        name for name in {*own, *added} if name not in own or name not in added or own[name].shape != added[name].shape
    )
    if wrong:
        raise IntegrityError(
            f"{len(wrong)} of the strategy's weights are missing, unknown or of another shape "
            f"({', '.join(wrong[:3])}): they were fitted under other settings. Fit again."
        )
    for name, tensor in added.items():
        own[name].copy_(tensor)
