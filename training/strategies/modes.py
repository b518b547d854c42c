"""Training mode of an encoder of which only a part is trained: the rest computes as it will when it serves.

Batch norm is why this matters. In training mode it moves its running statistics even where its weights are frozen,
and what was learned against one set of statistics then meets another after saving and loading.
"""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def set_mode(encoder: nn.Module, *, training: bool) -> None:
    """Switch the encoder; in training mode, parts without a trained weight stay in evaluation mode.

    So does batch norm unless all of its weights are trained, and batch norm that was folded into its convolution.
    """
    encoder.train(training)
    if training:
        folded = has_folded_norms(encoder)
        rest(encoder, folded=folded)


def rest(module: nn.Module, *, folded: bool) -> None:
    """Put what is frozen at or below this module into evaluation mode."""
    wanted = [parameter.requires_grad for parameter in module.parameters()]
    if wanted and (not any(wanted) or (isinstance(module, _BatchNorm) and (folded or not all(wanted)))):
        module.eval()
        return
    for child in module.children():
        rest(child, folded=folded)


def has_folded_norms(encoder: nn.Module) -> bool:
    """Whether batch norm was folded into the convolutions: no statistics were ever taken, yet there are biases.

    A net from scratch has no biases yet; a trained one has statistics.
    """
    norms = [module for module in encoder.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    return bool(norms) and all(untouched(norm) for norm in norms) and any(biased(norm) for norm in norms)


def untouched(norm: _BatchNorm) -> bool:
    """Whether a batch norm's running statistics are those that it began with, and no batch was counted."""
    counted, mean, variance = norm.num_batches_tracked, norm.running_mean, norm.running_var
    if counted is None or mean is None or variance is None or int(counted):
        return False
    return not bool(mean.any()) and bool(torch.allclose(variance, torch.ones_like(variance), atol=1e-3))


def biased(norm: _BatchNorm) -> bool:
    """Whether any bias is not zero."""
    return norm.bias is not None and bool(norm.bias.any())
