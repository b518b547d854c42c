"""From what a recipe says of mixing rows to what mixes them."""

from typing import TYPE_CHECKING

from flows.modality_spec import Image
from flows.scenario_columns import task_inputs
from flows.spec import Scenario
from flows.strategies import FitPlan, strategy_of

if TYPE_CHECKING:
    from training.mixing import Mixing


def mixed_picture(scenario: Scenario) -> str | None:
    """The picture that all tasks read alone, so that it can be mixed before its encoder; None where there is none."""
    name, *others = sorted(read_names(scenario))
    return name if not others and isinstance(scenario.modalities[name], Image) else None


def build_mixing(scenario: Scenario, plan: FitPlan) -> "Mixing | None":
    """What mixes the rows of a fit; nothing does where pictures are to be cut and their vectors are finished."""
    from training.mixing import Mixing

    given = scenario.recipe.mix
    if given is None:
        return None
    picture = mixed_picture(scenario)
    live = picture if picture is not None and strategy_of(scenario, picture, plan) != "frozen" else None
    if given.kind == "cutmix" and live is None:
        return None
    return Mixing(kind=given.kind, alpha=given.alpha, picture=live)


def read_names(scenario: Scenario) -> set[str]:
    """The modalities that any task reads."""
    return {name for task in scenario.tasks for name in task_inputs(scenario, task)}
