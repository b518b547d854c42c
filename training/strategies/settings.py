"""What a fine-tuning strategy can be told: one flat set of settings, each used by the strategies it names."""

from dataclasses import dataclass
from typing import Literal, get_args

Strategy = Literal["frozen", "last_blocks", "full", "lora", "ia3", "prefix", "prompt", "adapter", "bitfit"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

# How fast an encoder learns under a strategy, unless the recipe says: the fewer weights, the faster they may move.
LEARNING_RATES: dict[Strategy, float] = {
    "frozen": 0.0,
    "last_blocks": 1e-4,
    "full": 5e-5,
    "lora": 1e-3,
    "ia3": 1e-2,
    "prefix": 1e-2,
    "prompt": 1e-2,
    "adapter": 1e-3,
    "bitfit": 1e-3,
}

# What these leave behind folds into the encoder's own weights; prefix, prompt and adapter stay beside them.
MERGEABLE: frozenset[Strategy] = frozenset({"frozen", "last_blocks", "full", "lora", "ia3", "bitfit"})


@dataclass(frozen=True, kw_only=True)
class StrategySettings:
    """All strategies' settings.

    `blocks`: how many of the last transformer blocks or stages `last_blocks` trains. `layer_decay`, in 0..1: each layer
    of `full` and `last_blocks` learns by this factor slower than the one above it. `unfreeze_epochs`: after so many
    epochs all layers of `full` are trained, from the top downward. `rank`, `alpha`, `dropout`: LoRA's matrices have
    this rank, and what they add is multiplied by alpha / rank. `targets`: ends of the names of the layers that LoRA
    and IA3 change; none means all that the method is made for. `tokens`: learned tokens of prefix and prompt.
    `bottleneck`: hidden width of an adapter; `placement`: an adapter after attention and feed-forward (`houlsby`) or
    after the feed-forward alone (`pfeiffer`).
    """

    blocks: int = 1
    layer_decay: float = 0.9
    unfreeze_epochs: int = 0
    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.05
    targets: tuple[str, ...] = ()
    tokens: int = 16
    bottleneck: int = 64
    placement: Literal["houlsby", "pfeiffer"] = "pfeiffer"
