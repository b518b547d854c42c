"""The one table from a strategy's name to what it does to an encoder."""

from collections.abc import Callable

import torch
from torch import nn

from training.strategies.bitfit import attach_bitfit
from training.strategies.bottleneck import attach_adapters
from training.strategies.layers import attach_frozen, attach_full, attach_last_blocks
from training.strategies.low_rank import attach_ia3, attach_lora
from training.strategies.prompts import attach_prompts
from training.strategies.settings import Strategy, StrategySettings
from training.strategies.tuning import Tuning

ATTACH: dict[Strategy, Callable[[nn.Module, StrategySettings, int | None], Tuning]] = {
    "frozen": lambda encoder, _, __: attach_frozen(encoder),
    "last_blocks": lambda encoder, given, _: attach_last_blocks(
        encoder, blocks=given.blocks, layer_decay=given.layer_decay
    ),
    "full": lambda encoder, given, _: attach_full(
        encoder, layer_decay=given.layer_decay, unfreeze_epochs=given.unfreeze_epochs
    ),
    "lora": lambda encoder, given, _: attach_lora(
        encoder, rank=given.rank, alpha=given.alpha, dropout=given.dropout, targets=given.targets
    ),
    "ia3": lambda encoder, given, _: attach_ia3(encoder, targets=given.targets),
    "adapter": lambda encoder, given, _: attach_adapters(
        encoder, bottleneck=given.bottleneck, placement=given.placement
    ),
    "bitfit": lambda encoder, _, __: attach_bitfit(encoder),
    "prefix": lambda encoder, given, longest: attach_prompts(
        encoder, kind="prefix", tokens=given.tokens, longest=longest
    ),
    "prompt": lambda encoder, given, longest: attach_prompts(
        encoder, kind="prompt", tokens=given.tokens, longest=longest
    ),
}


def attach(
    encoder: nn.Module, *, strategy: Strategy, settings: StrategySettings, seed: int, longest: int | None = None
) -> Tuning:
    """Change a plain encoder in place for a strategy; new weights are the same under the same seed.

    `longest` is the length in tokens of the longest text. Raises RequestError where the strategy is not defined for
    this encoder, or a setting is out of its range.
    """
    torch.manual_seed(seed)
    return ATTACH[strategy](encoder, settings, longest)
