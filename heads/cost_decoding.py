"""Classification where mistakes cost differently, without torch: the cheapest answer, and what answers cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from heads.answers import Answer
from heads.costs import cheapest, mean_cost
from heads.decoder import Outputs, Scorer, Truth
from heads.decoding import SCORERS, ClassificationDecoder

Costs = tuple[tuple[float, ...], ...]
Answering = Literal["probable", "cheapest"]
COST, DISTANCE = "negative_mean_cost", "negative_mean_distance"


@dataclass(frozen=True)
class CostDecoder(ClassificationDecoder):
    """A classifier that knows what each mistake costs, how far labels stand apart in a tree, or both.

    `costs` and `distances` are [true label, answered label], each empty where there is none. `cheapest` answers are
    those of the least expected cost, or distance where there are no costs.
    """

    costs: Costs = ()
    distances: Costs = ()
    answering: Answering = "cheapest"

    @property
    def scorers(self) -> Mapping[str, Scorer]:  # type: ignore[override]
        """Those of every classifier, and the mean cost and distance with a minus sign: higher is better."""
        own = {COST: self.costs, DISTANCE: self.distances}
        return {**SCORERS, **{name: partial(negative_mean, costs=costs) for name, costs in own.items() if costs}}

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Label numbers [rows]."""
        if self.answering == "probable":
            return super().decide(probabilities)
        return cheapest(probabilities, np.array(self.costs or self.distances))

    def measure(self, outputs: Outputs, truth: Truth) -> dict[str, float]:
        """As of every classifier, and `mean_cost` and `mean_distance`, beside what the most probable labels cost."""
        figures = super().measure(outputs, truth)
        probable = self.probabilities(outputs["logits"]).argmax(axis=1)
        for name, costs in ((COST, self.costs), (DISTANCE, self.distances)):
            if costs:
                plain = name.removeprefix("negative_")
                figures[plain] = -figures.pop(name)
                figures[f"{plain}_of_probable"] = mean_cost(truth["labels"], probable, costs=np.array(costs))
        return figures

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads."""
        lists = {name: [list(row) for row in given] for name, given in self._matrices().items()}
        return {**super().to_json(), **lists, "answering": self.answering}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "CostDecoder":
        """Read what `to_json` gave."""
        plain = ClassificationDecoder.from_json(value)
        costs, distances = as_rows(value["costs"]), as_rows(value["distances"])
        return cls(**vars(plain), costs=costs, distances=distances, answering=value["answering"])

    def _matrices(self) -> dict[str, Costs]:
        return {"costs": self.costs, "distances": self.distances}

    def _answer(self, probabilities: np.ndarray, top: int) -> Answer:
        place = int(self.decide(probabilities[None])[0])
        probable = super()._answer(probabilities, top)
        label, probability = self.labels[place], float(probabilities[place])
        return Answer(
            label=label, probability=probability, probabilities={**probable.probabilities, label: probability}
        )


def negative_mean(truth: np.ndarray, predicted: np.ndarray, *, costs: Costs) -> float:
    """The mean cost with a minus sign."""
    return -mean_cost(truth, predicted, costs=np.array(costs))


def as_rows(matrix: Any) -> Costs:
    """A matrix as nested tuples, so that a decoder can be compared and is immutable."""
    return tuple(tuple(float(cost) for cost in row) for row in matrix)
