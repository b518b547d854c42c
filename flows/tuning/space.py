"""What is tried: paths of the scenario with the values that each may take."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from flows.scenario_file import LoadedScenario, load_scenario
from flows.spec import Scenario
from flows.strategies import fit_plans, is_trained
from flows.task_reads import READS
from flows.task_spec import Classification
from flows.tune_spec import Between, Setting
from polyloom.errors import ScenarioError
from training.strategies.settings import LEARNING_RATES

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Space = Mapping[str, Between | tuple[Setting, ...]]
TENFOLD = 10.0
BATCH_SIZES = (16, 32, 64, 128, 256)


def space_of(scenario: Scenario) -> Space:
    """The scenario's own space, else the usual one around its own settings."""
    return (scenario.tune.space if scenario.tune else {}) or dict(usual_space(scenario))


def usual_space(scenario: Scenario) -> Iterator[tuple[str, Between | tuple[Setting, ...]]]:
    """What matters most to nearly every fit: rates, decay, batches, dropout, smoothing."""
    recipe = scenario.recipe
    yield "recipe.learning_rate", tenfold(recipe.learning_rate)
    if any(is_trained(scenario, name) for name in scenario.modalities):
        strategy = fit_plans(scenario)[-1].strategy
        yield "recipe.encoder_learning_rate", tenfold(recipe.encoder_learning_rate or LEARNING_RATES[strategy])
    yield "recipe.batch_size", BATCH_SIZES
    yield "recipe.weight_decay", Between(low=1e-4, high=0.3, log=True)
    if any(READS[task.kind] == "fused" for task in scenario.tasks.values()):
        yield "fusion.dropout", Between(low=0.0, high=0.6)
    if any(isinstance(task, Classification) for task in scenario.tasks.values()):
        yield "recipe.label_smoothing", Between(low=0.0, high=0.2)


def tenfold(rate: float) -> Between:
    """From a tenth of a rate to its tenfold, by size."""
    return Between(low=rate / TENFOLD, high=rate * TENFOLD, log=True)


def distributions(space: Space) -> "dict[str, BaseDistribution]":
    """The space as Optuna takes it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, BaseDistribution] = {}
    for path, values in space.items():
        if not isinstance(values, Between):
            found[path] = CategoricalDistribution(values)
        elif isinstance(values.low, int) and isinstance(values.high, int):
            found[path] = IntDistribution(values.low, values.high, log=values.log)
        else:
            found[path] = FloatDistribution(float(values.low), float(values.high), log=values.log)
    return found


def overrides_of(settings: Mapping[str, Any]) -> list[str]:
    """Settings as `--set` takes them, in the order of their paths."""
    return [f"{path}={written(settings[path])}" for path in sorted(settings)]


def written(value: Any) -> str:
    """A value as YAML, on one line; three figures say all that a search can tell."""
    value = float(f"{value:.3g}") if isinstance(value, float) else value
    return yaml.safe_dump(value, width=10**6).removesuffix("\n").removesuffix("\n...").strip()


def check_space(loaded: LoadedScenario, space: Space, overrides: list[str]) -> None:
    """Both ends of every range and every choice make a valid scenario. Raises ScenarioError that names the path."""
    for path, values in space.items():
        ends = (values.low, values.high) if isinstance(values, Between) else values
        for value in ends:
            try:
                load_scenario(str(loaded.path), overrides=[*overrides, *overrides_of({path: value})])
            except ScenarioError as error:
                raise ScenarioError(f"tune.space.{path}: {value!r} is not possible here. {error}") from error
