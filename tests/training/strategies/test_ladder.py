"""The ladder over rungs whose outcome is known: what it keeps, why it stops, and that a killed climb goes on alike."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from heads.metrics import accuracy
from training.strategies.ladder import Attempt, Ladder, Rung

ROWS = 400
RUNGS = (Rung("frozen", 30), Rung("lora", 4), Rung("full", 3))


class KilledError(Exception):
    pass


@dataclass
class Outcomes:
    """Fits that get so many rows of 400 wrong, and what was asked of them."""

    wrong: dict
    epoch_seconds: float = 10.0
    fit_seconds: float = 60.0
    killed_in: str = ""
    asked: list = field(default_factory=list)
    tidied: list = field(default_factory=list)

    def seconds_per_epoch(self, rung, *, start):
        self.asked.append(("probe", rung.strategy, start.name))
        return self.epoch_seconds

    def fit(self, rung, *, epochs, start, folder):
        self.asked.append((rung.strategy, epochs, start and start.name))
        if rung.strategy == self.killed_in:
            raise KilledError
        predicted = np.zeros(ROWS, dtype=np.int64)
        predicted[: self.wrong[rung.strategy]] = 1
        truth = np.zeros(ROWS, dtype=np.int64)
        return Attempt(truth=truth, predicted=predicted, trained_parameters=7, seconds=self.fit_seconds)

    def finished(self, folder):
        self.tidied.append(folder.name)


def ladder(folder, climber, **changed):
    settings = {"rungs": RUNGS, "scorer": accuracy, "seed": 7, **changed}
    return Ladder(climber=climber, folder=folder, **settings)


def climbed(folder, climber, **changed):
    return ladder(folder, climber, **changed).climb()


def test_it_climbs_while_the_gain_is_significant(tmp_path):
    outcomes = Outcomes({"frozen": 80, "lora": 40, "full": 10})
    climb = climbed(tmp_path, outcomes)
    assert outcomes.asked == [("frozen", 30, None), ("lora", 4, "0-frozen"), ("full", 3, "1-lora")]
    assert outcomes.tidied == ["0-frozen", "1-lora", "2-full"]
    assert [rung.kept for rung in climb.rungs] == [True, True, True]
    assert [rung.metric for rung in climb.rungs] == [0.8, 0.9, 0.975]
    assert (climb.best, climb.stopped, climb.seconds) == (2, "full is the last rung", 180.0)
    assert climb.rungs[1].difference == pytest.approx(0.1)
    assert 0 < climb.rungs[1].low < 0.1 < climb.rungs[1].high


def test_it_stops_at_a_gain_that_may_be_luck_and_keeps_the_cheaper_rung(tmp_path):
    outcomes = Outcomes({"frozen": 80, "lora": 79, "full": 0})
    climb = climbed(tmp_path, outcomes)
    assert [asked[0] for asked in outcomes.asked] == ["frozen", "lora"]
    assert climb.best == 0
    assert climb.stopped.startswith("lora: 0.8025, +0.0025 (")
    assert climb.stopped.endswith("at 95%): no significant gain, frozen stays")


def test_a_worse_rung_is_never_kept(tmp_path):
    climb = climbed(tmp_path, Outcomes({"frozen": 10, "lora": 80, "full": 0}))
    assert (climb.best, climb.rungs[1].kept, climb.rungs[1].high < 0) == (0, False, True)


def test_a_gain_below_the_margin_is_not_worth_a_climb(tmp_path):
    climb = climbed(tmp_path, Outcomes({"frozen": 80, "lora": 40, "full": 0}), margin=0.09)
    assert climb.best == 0


def test_the_budget_shortens_a_rung(tmp_path):
    outcomes = Outcomes({"frozen": 80, "lora": 40, "full": 10})
    climb = climbed(tmp_path, outcomes, budget_seconds=60 + 25)
    assert ("lora", 2, "0-frozen") in outcomes.asked
    assert climb.rungs[1].epochs == 2


def test_without_budget_for_an_epoch_it_stops_and_says_so(tmp_path):
    outcomes = Outcomes({"frozen": 80})
    climb = climbed(tmp_path, outcomes, budget_seconds=66)
    assert outcomes.asked[-1] == ("probe", "lora", "0-frozen")
    assert climb.stopped == "lora: an epoch would take 10 s, and of the budget of 1.1 minutes 6 s are left"
    assert (climb.best, climb.rungs[1].metric, climb.rungs[1].kept) == (0, None, False)


def test_the_first_rung_is_fitted_whatever_the_budget(tmp_path):
    assert climbed(tmp_path, Outcomes({"frozen": 80}), budget_seconds=0).rungs[0].epochs == 30


@pytest.mark.parametrize("killed_in", ["frozen", "lora", "full"])
def test_a_killed_climb_goes_on_as_it_would_have(killed_in, tmp_path):
    wrong = {"frozen": 80, "lora": 40, "full": 35}
    calm = climbed(tmp_path / "calm", Outcomes(wrong), budget_seconds=1000)
    with pytest.raises(KilledError):
        climbed(tmp_path / "killed", Outcomes(wrong, killed_in=killed_in), budget_seconds=1000)
    # Another load of the machine at the second start changes nothing that was planned.
    again = Outcomes(wrong, epoch_seconds=1e9)
    resumed = ladder(tmp_path / "killed", again, budget_seconds=1000)
    if killed_in != "full":
        again.epoch_seconds = 10.0
    climb = resumed.climb()
    assert [(rung.strategy, rung.epochs, rung.metric, rung.low) for rung in climb.rungs] == [
        (rung.strategy, rung.epochs, rung.metric, rung.low) for rung in calm.rungs
    ]
    assert climb.best == calm.best
    fitted = [asked[0] for asked in again.asked if asked[0] != "probe"]
    assert fitted == ["frozen", "lora", "full"][["frozen", "lora", "full"].index(killed_in) :]


def test_a_finished_climb_is_only_read(tmp_path):
    first = climbed(tmp_path, Outcomes({"frozen": 80, "lora": 40, "full": 10}))
    again = Outcomes({})
    assert climbed(tmp_path, again).to_json() == first.to_json()
    assert again.asked == []
