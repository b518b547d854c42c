"""Gradient checkpointing: activations are computed again in the backward pass instead of kept.

Memory for activations falls to about that of one block, for about a third more time (Chen et al., "Training Deep Nets
with Sublinear Memory Cost", 2016). Gradients are the same. A batch norm inside a recomputed block sees each batch
twice, so its running statistics follow a little faster.
"""

import contextlib

from torch import nn

from polyloom.errors import RequestError


def recompute_activations(encoder: nn.Module, *, name: str) -> None:
    """Switch it on in an encoder of transformers or timm; `name` is the modality's, for the message.

    Raises RequestError for a model that cannot.
    """
    from transformers import PreTrainedModel

    for module in encoder.modules():
        if isinstance(module, PreTrainedModel) and module.supports_gradient_checkpointing:
            module.activation_checkpointing_enable({"use_reentrant": False})
            return
        if callable(getattr(module, "set_grad_checkpointing", None)):
            # timm's models that cannot say so by an assertion.
            with contextlib.suppress(AssertionError):
                module.set_grad_checkpointing(enable=True)  # type: ignore[operator]
                return
    raise RequestError(
        f"recipe.gradient_checkpointing: the model of {name!r} ({type(encoder).__name__}) does not offer it. "
        "Leave it out, and take a smaller recipe.batch_size with recipe.accumulate instead."
    )
