"""Which step of a run that learns in steps each task row belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from flows.stages.fit_rows import FitRows
from flows.stages.job import Job
from polyloom.errors import DataError

MOST_STEPS = 100
PLACE = "recipe.continual.steps"
NO_STEP = -1


@dataclass(frozen=True, eq=False)
class StepRows:
    """The steps in the order in which they are learned, and each task row's, int64 [task rows]; -1 is none."""

    names: tuple[str, ...]
    numbers: np.ndarray

    @classmethod
    def of_column(cls, values: Sequence[object], *, column: str) -> Self:
        """A step for each value of a column, the smallest first. Raises DataError for too many or too few."""
        found = sorted({value for value in values if value is not None})  # type: ignore[type-var]
        if not 2 <= len(found) <= MOST_STEPS:
            raise DataError(
                f"{PLACE}: {column!r} has {len(found):,} different value(s), and each is a step. Name a column with 2 "
                f"to {MOST_STEPS}, such as the month in which a row arrived."
            )
        places = {value: place for place, value in enumerate(found)}
        numbers = [NO_STEP if value is None else places[value] for value in values]
        return cls(names=tuple(map(step_name, found)), numbers=np.array(numbers, dtype=np.int64))

    @classmethod
    def of_labels(cls, labels: np.ndarray, *, count: int, each: int, seed: int) -> Self:
        """Steps of `each` labels in an order that the seed draws. Raises DataError where that is one step or too many.

        `labels` are numbers below `count` [task rows]; rows of unknown ones, below 0, belong to no step.
        """
        steps = -(-count // each)
        if not 2 <= steps <= MOST_STEPS or each < 2:
            raise DataError(
                f"{PLACE}: {each} label(s) a step make {steps} step(s) of the {count} labels. Give 2 or more labels "
                f"a step, and 2 to {MOST_STEPS} steps."
            )
        step_of_label = np.empty(count, dtype=np.int64)
        step_of_label[np.random.default_rng(seed).permutation(count)] = np.arange(count) // each
        numbers = np.where(labels >= 0, step_of_label[np.maximum(labels, 0)], NO_STEP)
        return cls(names=tuple(str(number) for number in range(1, steps + 1)), numbers=numbers)

    def of(self, rows: np.ndarray, step: int) -> np.ndarray:
        """Those of some rows that belong to a step."""
        return np.asarray(rows[self.numbers[rows] == step])

    def up_to(self, rows: np.ndarray, step: int) -> np.ndarray:
        """Those of some rows that belong to a step or to one before it."""
        return np.asarray(rows[(self.numbers[rows] >= 0) & (self.numbers[rows] <= step)])

    def check(self, rows: FitRows) -> None:
        """Raises DataError for a step that nothing can be learned from, or no epoch be chosen by."""
        for step, name in enumerate(self.names):
            train, validation = (len(self.of(part, step)) for part in (rows.train, rows.validation))
            if not train or not validation:
                raise DataError(
                    f"{PLACE}: the step {name!r} has {train} training and {validation} validation row(s) with a known "
                    "label; each step needs some of both. Put it together with another, or give splits.validation a "
                    "larger share."
                )


def step_rows(job: Job, *, labels: np.ndarray, count: int) -> StepRows:
    """The steps of a run whose rows have these label numbers, of so many labels."""
    continual = job.scenario.recipe.continual
    if continual is None:
        raise ValueError("the recipe does not learn in steps")
    if isinstance(continual.steps, str):
        return StepRows.of_column([row[continual.steps] for row in job.task_rows], column=continual.steps)
    return StepRows.of_labels(labels, count=count, each=continual.steps, seed=job.scenario.recipe.seed)


def step_name(value: object) -> str:
    """A step as it is shown."""
    return f"{value:g}" if isinstance(value, float) else str(value)
