"""Strategy `auto`: a ladder of strategies from cheap to dear, climbed only while it pays.

Each rung starts from the best encoder and heads so far: heads first, then the encoder beneath them, so that random
heads do not spoil what the encoder knows (Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform
Out-of-Distribution", 2022). A rung is kept when its gain on the validation rows is significant: the whole interval of
the paired bootstrap lies above the margin. What a rung decided is written down before it is acted upon, so that a
climb that is killed goes on as it would have.
"""

import io
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from heads.bootstrap import Difference, paired_difference
from heads.decoder import Scorer
from polyloom.durable import read_json, replace_file, write_json
from polyloom.progress import SILENT, Progress
from training.strategies.settings import Strategy

PLAN, TRUTH, PREDICTED, DONE = "plan.json", "truth.npy", "predicted.npy", "done.json"


@dataclass(frozen=True)
class Rung:
    """A strategy and how many epochs it is given at most."""

    strategy: Strategy
    epochs: int


@dataclass(frozen=True)
class Attempt:
    """What fitting a rung gave: truth and predictions of the validation rows, numbers trained, seconds spent."""

    truth: np.ndarray
    predicted: np.ndarray
    trained_parameters: int
    seconds: float


class Climber(Protocol):
    """Fits rungs. A rung's folder is its own: checkpoints, and what it fitted, stay there."""

    def seconds_per_epoch(self, rung: Rung, *, start: Path | None) -> float:
        """Measured on a few steps from the weights in the folder `start`, whose effect is thrown away."""

    def fit(self, rung: Rung, *, epochs: int, start: Path | None, folder: Path) -> Attempt:
        """Fit from the weights in the folder `start`, going on from the rung's checkpoint where there is one."""

    def finished(self, folder: Path) -> None:
        """A rung's outcome is written down: what only its fit needed may go."""


@dataclass(frozen=True)
class RungReport:
    """One rung as the report shows it; figures are None for a rung that was not fitted.

    `metric` is on the validation rows; `difference` is to the best rung before, with its interval from `low` to `high`.
    """

    strategy: Strategy
    kept: bool
    reason: str
    epochs: int = 0
    metric: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    seconds: float = 0.0
    trained_parameters: int = 0


@dataclass(frozen=True)
class Climb:
    """The whole climb: its rungs in order, which of them was best, and why it went no further."""

    rungs: tuple[RungReport, ...]
    best: int
    stopped: str
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """A JSON value."""
        return asdict(self)


class Ladder:
    """A climb over `rungs`, judged by the scorer on the validation rows; `budget_seconds` None is no limit."""

    def __init__(
        self,
        *,
        rungs: Sequence[Rung],
        climber: Climber,
        scorer: Scorer,
        folder: Path,
        seed: int,
        budget_seconds: float | None = None,
        margin: float = 0.0,
        confidence: float = 0.95,
        progress: Progress = SILENT,
    ) -> None:
        self.rungs = tuple(rungs)
        self.climber = climber
        self.scorer = scorer
        self.folder = folder
        self.seed = seed
        self.budget_seconds = budget_seconds
        self.margin = margin
        self.confidence = confidence
        self.progress = progress
        self.spent = 0.0
        self.best = -1

    def climb(self) -> Climb:
        """Climb to the end, from where a killed climb stopped. The first rung is always fitted."""
        reports: list[RungReport] = []
        for number in range(len(self.rungs)):
            report = self.step(number)
            reports.append(report)
            self.progress.log(f"auto: {report.strategy}: {report.reason}")
            if not report.kept:
                break
            self.best = number
        best = self.rungs[self.best].strategy
        last = reports[-1]
        ended = f"{best} is the last rung" if last.kept else f"{last.strategy}: {last.reason}"
        return Climb(rungs=tuple(reports), best=self.best, stopped=ended, seconds=self.spent)

    def step(self, number: int) -> RungReport:
        """Plan, fit and judge one rung."""
        rung, folder = self.rungs[number], self.rung_folder(number)
        start = None if self.best < 0 else self.rung_folder(self.best)
        plan = self.plan(rung, folder, start=start)
        self.spent += plan["probe_seconds"]
        if not plan["epochs"]:
            return RungReport(strategy=rung.strategy, kept=False, reason=plan["reason"])
        attempt = self.fitted(rung, folder, epochs=plan["epochs"], start=start)
        self.spent += attempt.seconds
        metric = float(self.scorer(attempt.truth, attempt.predicted))
        gain = None if self.best < 0 else self.gain(attempt)
        kept = gain is None or gain.low > self.margin
        return RungReport(
            strategy=rung.strategy,
            kept=kept,
            reason=self.verdict(metric, gain),
            epochs=plan["epochs"],
            metric=metric,
            seconds=attempt.seconds,
            trained_parameters=attempt.trained_parameters,
            **({} if gain is None else {"difference": gain.value, "low": gain.low, "high": gain.high}),
        )

    def rung_folder(self, number: int) -> Path:
        """Where a rung keeps its plan, its checkpoints, its weights and its outcome."""
        return self.folder / f"{number}-{self.rungs[number].strategy}"

    def plan(self, rung: Rung, folder: Path, *, start: Path | None) -> dict[str, Any]:
        """How many epochs a rung gets: what the budget allows, none where it does not last for one."""
        if (folder / PLAN).is_file():
            return dict(read_json(folder / PLAN))
        plan = {"epochs": rung.epochs, "probe_seconds": 0.0, "seconds_per_epoch": None, "reason": ""}
        if self.budget_seconds is not None and start is not None:
            plan = self.affordable(rung, start=start, budget=self.budget_seconds)
        write_json(folder / PLAN, plan)
        return plan

    def affordable(self, rung: Rung, *, start: Path, budget: float) -> dict[str, Any]:
        """The plan that a few measured steps allow."""
        started = time.monotonic()
        seconds = self.climber.seconds_per_epoch(rung, start=start)
        probed = time.monotonic() - started
        left = max(budget - self.spent - probed, 0.0)
        epochs = min(rung.epochs, int(left / max(seconds, 1e-9)))
        short = (
            f"an epoch would take {seconds:.0f} s, and of the budget of {budget / 60:g} minutes {left:.0f} s are left"
        )
        return {
            "epochs": epochs,
            "probe_seconds": probed,
            "seconds_per_epoch": seconds,
            "reason": "" if epochs else short,
        }

    def fitted(self, rung: Rung, folder: Path, *, epochs: int, start: Path | None) -> Attempt:
        """The rung's attempt, read where it is finished, else made; the marker of a finished rung is written last."""
        if not (folder / DONE).is_file():
            attempt = self.climber.fit(rung, epochs=epochs, start=start, folder=folder)
            write_array(folder / TRUTH, attempt.truth)
            write_array(folder / PREDICTED, attempt.predicted)
            facts = {"trained_parameters": attempt.trained_parameters, "seconds": attempt.seconds}
            write_json(folder / DONE, facts)
        self.climber.finished(folder)
        return Attempt(
            truth=read_array(folder / TRUTH), predicted=read_array(folder / PREDICTED), **read_json(folder / DONE)
        )

    def gain(self, attempt: Attempt) -> Difference:
        """A rung's difference to the best one so far."""
        return paired_difference(
            scorer=self.scorer,
            truth=attempt.truth,
            predicted=attempt.predicted,
            against=read_array(self.rung_folder(self.best) / PREDICTED),
            seed=self.seed,
            confidence=self.confidence,
        )

    def verdict(self, metric: float, gain: Difference | None) -> str:
        """Why a rung was kept or not."""
        if gain is None:
            return f"{metric:.4f}, the first rung"
        figures = f"{metric:.4f}, {gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f} at {self.confidence:.0%})"
        if gain.low > self.margin:
            return f"{figures}: a significant gain"
        return f"{figures}: no significant gain, {self.rungs[self.best].strategy} stays"


def write_array(path: Path, array: np.ndarray) -> None:
    """Replace a file by an array, in one step."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    replace_file(path, content.getvalue())


def read_array(path: Path) -> np.ndarray:
    """What `write_array` wrote."""
    array: np.ndarray = np.load(path, allow_pickle=False)
    return array
