"""What each step of a run sees: its own rows, and what the memory kept of those before."""

import functools
from dataclasses import dataclass
from typing import Self

import numpy as np

from flows.continual_spec import Continual
from flows.stages.fit_rows import FitRows
from flows.stages.material import Material
from flows.stages.step_rows import StepRows, step_rows
from heads.decoding import ClassificationDecoder
from training.replay import kept_rows, replayed


@dataclass(frozen=True, eq=False)
class Stepwise:
    """The rows of a run, step by step. `labels` are those of all task rows, `whole` the rows whose label is known."""

    settings: Continual
    steps: StepRows
    labels: np.ndarray
    whole: FitRows
    seed: int

    @classmethod
    def of(cls, material: Material) -> Self:
        """The steps of a run. Raises DataError where these cannot be learned."""
        scenario, (task, _) = material.job.scenario, material.watch
        decoder, labels = material.targets[task].decoder, material.targets[task].truth["labels"]
        continual = scenario.recipe.continual
        if continual is None or not isinstance(decoder, ClassificationDecoder):
            raise TypeError("only classification is learned in steps, and only where the recipe asks for it")
        train, validation = (rows[labels[rows] >= 0] for rows in (material.rows.train, material.rows.validation))
        whole = FitRows(train=train, validation=validation, known=train)
        steps = step_rows(material.job, labels=labels, count=len(decoder.labels))
        steps.check(whole)
        return cls(settings=continual, steps=steps, labels=labels, whole=whole, seed=scenario.recipe.seed)

    def rows(self, step: int) -> FitRows:
        """What a step learns from, chooses its epoch by, and which rows' labels it knows.

        An earlier step has as much say as the new one, times the weight: the memory's rows are repeated for it.
        """
        own, memory = self.own(step), self.memory(step)
        wanted = round(self.settings.strength * step * len(own))
        again = replayed(memory, rows=wanted, random=np.random.default_rng([self.seed, step]))
        return FitRows(
            train=np.concatenate([own, again]),
            validation=self.steps.of(self.whole.validation, step),
            known=self.steps.up_to(self.whole.train, step),
        )

    def own(self, step: int) -> np.ndarray:
        """The training rows that arrive with a step."""
        return self.steps.of(self.whole.train, step)

    def memory(self, step: int) -> np.ndarray:
        """The training rows of earlier steps that are there yet."""
        if self.settings.kind != "replay":
            return self.whole.train[:0]
        before = self.steps.up_to(self.whole.train, step - 1)
        memory, memory_of = self.settings.memory, self.settings.memory_of
        return kept_rows(before, self.labels[before], memory=memory, memory_of=memory_of, order=self.order)

    def labels_up_to(self, step: int) -> int:
        """How many labels are known after a step."""
        return len(np.unique(self.labels[self.steps.up_to(self.whole.train, step)]))

    @functools.cached_property
    def order(self) -> np.ndarray:
        """Each task row's random number, once and for all."""
        return np.random.default_rng(self.seed).random(len(self.labels))
