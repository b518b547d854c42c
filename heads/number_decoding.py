"""Standardised outputs to numbers with an interval, without torch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np

from heads.answers import Answer
from heads.decoder import Outputs, Scorer, Truth
from heads.number_metrics import negative_mae, negative_rmse, r2

COVERAGE = 0.9
# Higher is better, so errors have a minus sign.
SCORERS: dict[str, Scorer] = {"r2": r2, "negative_mae": negative_mae, "negative_rmse": negative_rmse}


@dataclass(frozen=True)
class RegressionDecoder:
    """Outputs `values` [rows] times `deviation` plus `mean` are the answers.

    `half_width` is the half of an interval that holds 90% of the truths: the quantile of the held-out rows' absolute
    errors (split conformal; Lei et al., "Distribution-Free Predictive Inference for Regression", 2018). It is infinite
    where there were too few rows to know.
    """

    kind: ClassVar[str] = "regression"
    scorers: ClassVar[Mapping[str, Scorer]] = SCORERS

    mean: float
    deviation: float
    half_width: float = float("inf")

    @classmethod
    def fit(cls, values: Sequence[object]) -> "RegressionDecoder":
        """With the mean and deviation of the training rows."""
        known = numbers(values)
        known = known[np.isfinite(known)]
        mean, deviation = (float(known.mean()), float(known.std())) if len(known) else (0.0, 1.0)
        return cls(mean=mean, deviation=deviation or 1.0)

    def encode(self, values: Sequence[object]) -> dict[str, np.ndarray]:
        """Truth `values` [rows], standardised; NaN where it is not known."""
        return {"values": (numbers(values) - self.mean) / self.deviation}

    def calibrate(self, outputs: Outputs, truth: Truth) -> "RegressionDecoder":
        """With the interval that these rows ask for."""
        target, predicted = self.comparable(outputs, truth)
        errors = np.sort(np.abs(target - predicted)[np.isfinite(target)])
        place = int(np.ceil((len(errors) + 1) * COVERAGE)) - 1
        return replace(self, half_width=float(errors[place]) if 0 <= place < len(errors) else float("inf"))

    def answers(self, outputs: Outputs, inputs: Sequence[object], *, top: int = 5) -> list[Answer]:  # noqa: ARG002
        """The number, and the interval that holds the truth with 90% probability."""
        return [self._answer(float(value)) for value in self._numbers(outputs)]

    def comparable(self, outputs: Outputs, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
        """Numbers [rows] in the target's own units."""
        return truth["values"].astype(np.float64) * self.deviation + self.mean, self._numbers(outputs)

    def translated(self, predicted: np.ndarray, *, given_by: "RegressionDecoder") -> np.ndarray:  # noqa: ARG002
        """Numbers are numbers."""
        return predicted

    def measure(self, outputs: Outputs, truth: Truth) -> dict[str, float]:
        """R squared, mean absolute and root mean squared error, and how many truths the interval held."""
        target, predicted = self.comparable(outputs, truth)
        held = np.abs(target - predicted)[np.isfinite(target)] <= self.half_width
        return {
            "r2": r2(target, predicted),
            "mae": -negative_mae(target, predicted),
            "rmse": -negative_rmse(target, predicted),
            "half_width": self.half_width,
            "coverage": float(held.mean()) if len(held) else float("nan"),
        }

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads."""
        facts = asdict(self)
        # JSON knows no infinity.
        return {"kind": self.kind, **facts, "half_width": self.half_width if np.isfinite(self.half_width) else None}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "RegressionDecoder":
        """Read what `to_json` gave."""
        width = value["half_width"]
        return cls(
            mean=value["mean"], deviation=value["deviation"], half_width=float("inf") if width is None else width
        )

    def _numbers(self, outputs: Outputs) -> np.ndarray:
        return outputs["values"].astype(np.float64) * self.deviation + self.mean

    def _answer(self, value: float) -> Answer:
        if not np.isfinite(self.half_width):
            return Answer(label=f"{value:.4g}", probability=0.0, probabilities={}, value=value)
        label = f"{value:.4g} ± {self.half_width:.2g}"
        return Answer(label=label, probability=COVERAGE, probabilities={}, value=value)


def numbers(values: Sequence[object]) -> np.ndarray:
    """A column as float64, NaN where nothing is known."""
    return np.array([np.nan if value is None else float(str(value)) for value in values], dtype=np.float64)
