"""The scenario: one application as frozen models, read from a YAML file.

Only what is written here, and in the `*_spec` modules of its larger sections, may stand in a scenario; anything else is
refused with its path in the file.
"""

from typing import Annotated, Literal

from pydantic import Field

from flows.modality_spec import Modality, Pretrain
from flows.recipe import Recipe
from flows.source_spec import Data
from flows.spec_section import Name, Section, Share
from flows.task_spec import AnyTask, Fusion
from flows.tune_spec import Tune


class Index(Section):
    """What can be found, and by which modalities."""

    rows: str
    embed: tuple[str, ...]
    weights: dict[str, Annotated[float, Field(gt=0)]] = {}
    show: tuple[str, ...] = ()
    group: str | None = None


class Gate(Section):
    """The test that a challenger must pass against the champion."""

    metric: str
    rule: Literal["not_worse", "better"] = "not_worse"
    margin: Annotated[float, Field(ge=0)] = 0.0
    minimum: float | None = None


class Quarantine(Section):
    """How many rows may be refused before the run stops."""

    max_share: Share = 0.05


class Splits(Section):
    """Shares of the rows that no source assigns to a split."""

    validation: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    test: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    seed: int = 7


class Monitor(Section):
    """When the flow runs by itself."""

    schedule: str | None = None
    timezone: str = "UTC"


class DataScenario(Section):
    """What a scenario says about its data alone: enough to ingest it."""

    name: Name
    title: str
    description: str = ""
    data: dict[Name, Data]
    splits: Splits = Splits()
    quarantine: Quarantine = Quarantine()
    monitor: Monitor = Monitor()


class Scenario(DataScenario):
    """One application."""

    rows: str | None = None
    modalities: dict[Name, Modality]
    pretrain: dict[Name, Pretrain] = {}
    fusion: Fusion = Fusion()
    tasks: dict[Name, AnyTask]
    recipe: Recipe = Recipe()
    index: Index | None = None
    tune: Tune | None = None
    gate: Gate
