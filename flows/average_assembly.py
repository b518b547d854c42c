"""From the recipe's section `average` to what averages a fit's weights."""

from pathlib import Path
from typing import TYPE_CHECKING

from flows.average_spec import Ema, Interpolation, Soup, Swa
from flows.spec import Scenario
from flows.strategies import FitPlan, strategy_of

if TYPE_CHECKING:
    from training.averaging import Mean
    from training.combining import Combination

# Their weights lie on a line between begin and end; what LoRA and the like learn is multiplied with each other.
STRAIGHT = ("full", "last_blocks", "bitfit")


def build_mean(scenario: Scenario, plan: FitPlan) -> "Mean | None":
    """The running mean of a fit."""
    from training import averaging

    given = scenario.recipe.average
    if isinstance(given, Ema):
        return averaging.Ema(decay=given.decay)
    if isinstance(given, Swa):
        return averaging.Swa(start=swa_start(given, plan) - 1, rate=given.rate)
    return None


def swa_start(given: Swa, plan: FitPlan) -> int:
    """The first epoch, from 1, whose end counts."""
    return given.start or plan.epochs // 2 + 1


def build_combination(scenario: Scenario, plan: FitPlan, *, folder: Path, start: Path | None) -> "Combination | None":
    """What makes the model of several states; epochs are kept under `folder`, `start` is the rung before."""
    from modalities.named import NamedModules
    from training.interpolation import Interpolation as Line
    from training.soup import GreedySoup

    given = scenario.recipe.average
    if isinstance(given, Soup):
        return GreedySoup(folder=folder)
    moving = tuple(f"encoders.{NamedModules.stored(name)}." for name in straight(scenario, plan))
    if not isinstance(given, Interpolation) or not moving:
        return None
    # Heads that begin with random numbers know nothing that could be kept.
    return Line(shares=given.shares, parts=moving if start is None else (*moving, "tasks."))


def straight(scenario: Scenario, plan: FitPlan) -> list[str]:
    """The modalities whose encoders have weights between begin and end in a fit."""
    return [name for name in scenario.modalities if strategy_of(scenario, name, plan) in STRAIGHT]
