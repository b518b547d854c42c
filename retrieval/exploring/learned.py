"""What a bandit knows of a log: learned from the lines that are new, kept in a file that is replaced in one step.

The file is nothing but a summary of the log up to two places. Whoever is killed before it is replaced leaves the one
before, and the same lines are learned next time; where it is missing or broken, all is learned anew.
"""

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from polyloom.durable import json_line, place_file, read_json
from retrieval.exploring.exposure import Exposure
from retrieval.exploring.exposure_log import ExposureLog, place_of
from retrieval.exploring.linear_payoff import LinearPayoff

LEARNED = "learned.json"
# To learn so few lines again costs less than to write down that they are known.
KEPT_EVERY = 50


@dataclass
class Learned:
    """A payoff model, and how much of the log is in it.

    All exposures before the place `shown` are, by their rewards or as bringing nothing; of those after it the ones that
    are in `early`. All rewards before the place `rewarded` are. `fresh` lines are in no file yet.
    """

    payoff: LinearPayoff
    shown: int = 0
    rewarded: int = 0
    early: set[str] = field(default_factory=set)
    fresh: int = 0

    def take_rewards(self, log: ExposureLog) -> None:
        """Learn the rewards that are new; one that replaces another counts in its place."""
        for reward, line in log.rewards_since(self.rewarded):
            self.rewarded, self.fresh = line.end, self.fresh + 1
            exposure = log.find(reward.id)
            row = None if exposure is None else self._context(exposure)
            if reward.before is None and (place_of(reward.id) or 0) >= self.shown:
                self.early.add(reward.id)
                if row is not None:
                    self.payoff.update(row, reward.reward)
            elif row is not None:
                self.payoff.correct(row, reward.reward - (reward.before or 0.0))

    def take_silence(self, log: ExposureLog, *, until: float) -> None:
        """Learn that what was shown before a time, and of which nothing was heard, brought nothing."""
        for exposure, line in log.exposures_since(self.shown):
            if exposure.at > until:
                return
            self.shown, self.fresh = line.end, self.fresh + 1
            row = self._context(exposure)
            if exposure.id in self.early:
                self.early.remove(exposure.id)
            elif row is not None:
                self.payoff.update(row, 0.0)

    def to_json(self) -> dict[str, Any]:
        """For `read`."""
        payoff = self.payoff
        return {
            "shown": self.shown,
            "rewarded": self.rewarded,
            "early": sorted(self.early),
            "updates": payoff.updates,
            "precision": payoff.precision.tolist(),
            "moment": payoff.moment.tolist(),
        }

    @classmethod
    def read(cls, path: Path, *, dim: int) -> "Learned":
        """What a file says; nothing learned where it is missing, broken, or of other contexts."""
        try:
            own = read_json(path)
            payoff = LinearPayoff(dim)
            payoff.restore(np.array(own["precision"]), np.array(own["moment"]), updates=int(own["updates"]))
            return cls(payoff, int(own["shown"]), int(own["rewarded"]), set(own["early"]))
        except (OSError, ValueError, KeyError, TypeError, np.linalg.LinAlgError):
            return cls(LinearPayoff(dim))

    def _context(self, exposure: Exposure) -> np.ndarray | None:
        """What was chosen looked like; None where nothing was chosen, or by contexts of another kind."""
        if not exposure.explored or not exposure.contexts:
            return None
        row = np.array(exposure.contexts[exposure.chosen], dtype=np.float64)
        return row if row.shape == (self.payoff.dim,) and np.isfinite(row).all() else None


class Learner:
    """Keeps a payoff model in step with a log, each time by the lines that are new. Safe to share between threads."""

    def __init__(self, log: ExposureLog, *, dim: int) -> None:
        self.log, self.dim = log, dim
        self.path = log.folder / LEARNED
        self._learned: Learned | None = None

    def payoff(self, *, until: float) -> LinearPayoff:
        """What is known by now; exposures before `until` without a reward brought nothing."""
        with self.log.held():
            known = self._learned or Learned.read(self.path, dim=self.dim)
            if known.shown > _size(self.log.shown) or known.rewarded > _size(self.log.rewarded):
                known = Learned(LinearPayoff(self.dim))
            known.take_rewards(self.log)
            known.take_silence(self.log, until=until)
            if known.fresh >= KEPT_EVERY:
                # What a power cut takes of a summary is learned again; the log itself is on the disk.
                place_file(self.path, json_line(known.to_json()))
                known.fresh = 0
            self._learned = known
            # The model gets new arrays with each update, so that this one stays as it is.
            return copy.copy(known.payoff)


def learn(log: ExposureLog, *, dim: int, until: float) -> LinearPayoff:
    """What a log teaches, once; see `Learner`."""
    return Learner(log, dim=dim).payoff(until=until)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
