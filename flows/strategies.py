"""The one table from a scenario's recipe to strategies: which encoder is trained how, with which settings."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.modality_spec import Image, Text
from flows.recipe import Rung
from flows.spec import Scenario
from flows.task_reads import modalities_read_whole
from training.strategies.settings import LEARNING_RATES, Strategy, StrategySettings

if TYPE_CHECKING:
    from torch import nn

    from training.strategies.tuning import Tuning

# How a rung that trains an encoder is fitted, unless the scenario says: the recipe's own figures are for its heads.
LIVE_EPOCHS, LIVE_BATCH_SIZE, LIVE_LEARNING_RATE = 4, 32, 5e-4
PRETRAINED_LAYER_DECAY = 0.9


@dataclass(frozen=True)
class FitPlan:
    """One fit: the strategy of encoders that name none of their own, and how long and how fast.

    `encoder_learning_rate` None is the strategy's usual one. `seed` decides about heads, batches and dropout.
    """

    strategy: Strategy
    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    encoder_learning_rate: float | None
    seed: int

    def encoder_rate(self, strategy: Strategy) -> float:
        """How fast an encoder under this strategy learns."""
        return LEARNING_RATES[strategy] if self.encoder_learning_rate is None else self.encoder_learning_rate


def fit_plans(scenario: Scenario) -> tuple[FitPlan, ...]:
    """The fits that a scenario asks for: one, or under `auto` one a rung from the lowest on."""
    recipe = scenario.recipe
    if recipe.strategy != "auto":
        return (
            FitPlan(
                strategy=recipe.strategy,
                epochs=recipe.epochs,
                patience=recipe.patience,
                batch_size=recipe.batch_size,
                learning_rate=recipe.learning_rate,
                encoder_learning_rate=recipe.encoder_learning_rate,
                seed=recipe.seed,
            ),
        )
    return tuple(rung_plan(scenario, rung) for rung in recipe.auto.rungs)


def rung_plan(scenario: Scenario, rung: Rung) -> FitPlan:
    """A rung's fit: what it says; else the recipe's figures where encoders are frozen, those above where they learn."""
    recipe = scenario.recipe
    frozen = rung.strategy == "frozen"
    return FitPlan(
        strategy=rung.strategy,
        epochs=rung.epochs or (recipe.epochs if frozen else LIVE_EPOCHS),
        patience=recipe.patience if rung.patience is None else rung.patience,
        batch_size=rung.batch_size or (recipe.batch_size if frozen else LIVE_BATCH_SIZE),
        learning_rate=rung.learning_rate or (recipe.learning_rate if frozen else LIVE_LEARNING_RATE),
        encoder_learning_rate=rung.encoder_learning_rate or recipe.encoder_learning_rate,
        seed=recipe.seed,
    )


def strategy_of(scenario: Scenario, name: str, plan: FitPlan) -> Strategy:
    """How a modality's encoder is trained in a fit."""
    modality = scenario.modalities[name]
    if not isinstance(modality, Image | Text):
        return "frozen"
    return modality.train or plan.strategy


def is_live(scenario: Scenario, name: str, plan: FitPlan) -> bool:
    """Whether a modality's encoder runs in a fit: it is trained, or a task reads more than its pooled embedding."""
    return strategy_of(scenario, name, plan) != "frozen" or name in modalities_read_whole(scenario)


def is_trained(scenario: Scenario, name: str) -> bool:
    """Whether any fit of the scenario may train a modality's encoder."""
    return any(strategy_of(scenario, name, plan) != "frozen" for plan in fit_plans(scenario))


def attach_strategy(scenario: Scenario, name: str, encoder: "nn.Module", *, strategy: Strategy) -> "Tuning":
    """Prepare a modality's plain encoder for a strategy. Raises RequestError where it is not defined for it."""
    from training.strategies.attach import attach

    modality = scenario.modalities[name]
    longest = modality.max_tokens if isinstance(modality, Text) else None
    settings = strategy_settings(scenario, name, strategy)
    return attach(encoder, strategy=strategy, settings=settings, seed=scenario.recipe.seed, longest=longest)


def strategy_settings(scenario: Scenario, name: str, strategy: Strategy) -> StrategySettings:
    """The recipe's settings, flat. Lower layers learn slower only where they know something already."""
    recipe = scenario.recipe
    scratch = getattr(scenario.modalities[name], "weights", "") == "scratch" and name not in scenario.pretrain
    return StrategySettings(
        blocks=recipe.blocks,
        layer_decay=recipe.layer_decay or (1.0 if scratch else PRETRAINED_LAYER_DECAY),
        unfreeze_epochs=recipe.unfreeze_epochs,
        rank=recipe.lora.rank,
        alpha=recipe.lora.alpha,
        dropout=recipe.lora.dropout,
        targets=recipe.ia3.targets if strategy == "ia3" else recipe.lora.targets,
        tokens=recipe.prefix.tokens if strategy == "prefix" else recipe.prompt.tokens,
        bottleneck=recipe.adapter.bottleneck,
        placement=recipe.adapter.placement,
    )
