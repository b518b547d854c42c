"""Lists that explore: which places, with which propensities, what is logged of whom, and that it pays."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from polyloom.errors import RequestError
from releases.exploring import Exploring, noted
from releases.exploring_contexts import DIM, FAR, TRAITS, contexts, standardised, traits
from releases.exploring_report import report_of
from releases.recommending import Recommendation
from retrieval.exploring.exposure_log import ExposureLog
from retrieval.recommending.recommender import Event

COLOURS, KINDS = ("red", "green", "blue", "white", "black"), ("mug", "lamp", "chair", "clock")
WEIGHTS = {"view": 1, "buy": 5}


def settings(**changes):
    return {"rule": "thompson", "slots": 1, "pool": 12, "share": 0.1, "wait_hours": 1.0, **changes}


@dataclass
class Shop:
    """A release whose order is the items' own; items of one colour and kind are taken more often than others."""

    explore: Mapping[str, Any] | None = field(default_factory=settings)
    items: int = 40
    name: str = "shop"

    def __post_init__(self) -> None:
        random = np.random.default_rng(5)
        self.rows = [
            {"title": f"item {number}", "price": float(random.integers(5, 90)), "colour": str(random.choice(COLOURS)),
             "kind": str(random.choice(KINDS))}
            for number in range(self.items)
        ]  # fmt: skip
        self.facts = {
            "recommend": {"explore": self.explore, "columns": {"weight": WEIGHTS}},
            "index": {"columns": {"title": "text", "price": "number", "colour": "category", "kind": "category"}},
        }
        self.asked: list[dict[str, Any]] = []

    def recommend(self, history, *, k=10, where=None, diversity=None):
        """Best first, without what is in the history."""
        self.asked.append({"k": k, "where": where, "diversity": diversity})
        taken = {event.item for event in history}
        left = [number for number in range(self.items) if f"i{number}" not in taken][:k]
        return [
            Recommendation(f"i{number}", 1 - number / 50, self.rows[number], parts={"ease": 1.0}, because=[])
            for number in left
        ]

    def rate(self, item):
        """How often an item is taken."""
        row = self.rows[int(item[1:])]
        return 0.05 + 0.3 * (row["colour"] == "red") + 0.3 * (row["kind"] == "lamp")


def exploring(folder, *, seed=1, clock=lambda: 100.0, **changes):
    return Exploring(Shop(settings(**changes)), folder, seed=seed, clock=clock)


def test_the_last_places_are_drawn_among_the_next_best(tmp_path):
    explore = exploring(tmp_path, slots=2)
    drawn = set()
    for _ in range(40):
        shown = explore.recommend([], user="ann", k=5, where="price < 99", diversity=0.2)
        ids = [one.item.id for one in shown]
        assert ids[:3] == ["i0", "i1", "i2"]
        assert len(set(ids)) == 5
        assert set(ids[3:]) <= {f"i{number}" for number in range(3, 15)}
        assert [one.propensity is None for one in shown] == [True] * 3 + [False] * 2
        assert all(0 < one.propensity <= 1 for one in shown[3:])
        drawn |= set(ids[3:])
    assert explore.runtime.asked[-1] == {"k": 15, "where": "price < 99", "diversity": 0.2}
    assert len(drawn) > 6
    logged = explore.log.exposures()
    assert len(logged) == 200
    choice = logged[-1]
    assert (len(choice.candidates), np.shape(choice.contexts)) == (11, (11, DIM))
    assert explore.log.exposure(shown[-1].exposure).item == ids[-1]
    assert set(shown[-1].to_json()) - set(shown[0].to_json()) == {"propensity"}


@pytest.mark.parametrize(
    ("k", "items", "explored"), [(1, 40, 1), (3, 40, 1), (3, 3, 0), (3, 2, 0), (5, 0, 0), (6, 7, 1)]
)
def test_short_lists_explore_where_there_is_anything_to_choose_from(tmp_path, k, items, explored):
    explore = Exploring(Shop(settings(), items=items), tmp_path, seed=1)
    shown = explore.recommend([], k=k)
    assert len(shown) == min(k, items)
    assert sum(one.propensity is not None for one in shown) == explored
    assert all(explore.log.exposure(one.exposure).item == one.item.id for one in shown)


def test_nothing_to_ask_for_is_refused(tmp_path):
    with pytest.raises(RequestError, match="-k is 0; ask for at least 1 item"):
        exploring(tmp_path).recommend([], k=0)
    for none in (Shop(None), Shop({})):
        with pytest.raises(RequestError, match=r"'shop' does not explore\. Add `explore: \{\}` to the section"):
            Exploring(none, tmp_path)


def test_users_stand_in_the_log_as_hashes_that_need_the_key(tmp_path):
    explore = exploring(tmp_path)
    for user in ("Ann Smith", "Ann Smith", "bob", None, None):
        explore.recommend([Event("i3")], user=user, k=4)
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"Smith" not in content
    users = [one.user for one in explore.log.exposures() if one.explored]
    assert users[0] == users[1]
    assert len(set(users)) == 4
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_feedback_is_a_number_or_an_event_and_counts_once(tmp_path):
    explore = exploring(tmp_path)
    shown = explore.recommend([], user="ann", k=3)
    assert explore.feedback(shown[2].exposure, event="buy") == (shown[2].exposure, 5.0, None, True)
    assert not explore.feedback(shown[2].exposure, reward=5).counted
    assert explore.feedback(shown[0].exposure, reward=1).counted
    with pytest.raises(
        RequestError, match=r"'bye' is no event that the scenario weighs; they are view, buy\. Did you mean"
    ):
        explore.feedback(shown[2].exposure, event="bye")
    with pytest.raises(RequestError, match="it names none"):
        noted(explore.log, shown[2].exposure, event="buy")
    for both in ({}, {"reward": 1.0, "event": "buy"}):
        with pytest.raises(RequestError, match="What came back is one thing"):
            explore.feedback(shown[2].exposure, **both)
    with pytest.raises(RequestError, match="There is no exposure 'gone'"):
        explore.feedback("gone", reward=1)
    report = report_of(explore.log).to_json()
    assert report["explored"] == {"shown": 1, "rewarded": 1, "taken": 1, "reward": 5.0, "click_rate": 1.0}
    assert (report["others"]["shown"], report["others"]["taken"]) == (2, 1)
    json.dumps(report)


def test_a_log_of_nothing_has_a_report(tmp_path):
    report = report_of(ExposureLog(tmp_path / "none"))
    assert (report.explored.shown, report.explored.click_rate, report.policies) == (0, None, ())
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("rule", ["thompson", "upper_bound", "epsilon_greedy", "softmax"])
def test_every_rule_serves(tmp_path, rule):
    explore = exploring(tmp_path, rule=rule)
    for _ in range(3):
        shown = explore.recommend([], user="ann", k=3)
        explore.feedback(shown[-1].exposure, reward=1)
    assert {one.policy for one in explore.log.exposures() if one.explored} == {rule}


def test_without_a_seed_lists_of_one_state_differ(tmp_path):
    explore = exploring(tmp_path, seed=None, share=1.0)
    assert len({explore.recommend([], k=3)[-1].item.id for _ in range(30)}) > 3


def test_contexts_are_finite_and_the_same_wherever_they_are_made():
    shop = Shop()
    rows = contexts(shop.recommend([], k=30), popularity={"i1": 3.0}, kinds=shop.facts["index"]["columns"], known=True)
    assert rows.shape == (30, DIM)
    assert np.isfinite(rows).all()
    assert np.abs(rows).max() <= FAR
    assert np.allclose(rows, np.round(rows, 4))
    assert contexts([], popularity={}, kinds={}, known=False).shape == (0, DIM)
    red = traits({"colour": "red"}, {"colour": "category"})
    assert np.linalg.norm(red) == pytest.approx(1.0)
    assert not np.allclose(red, traits({"colour": "blue"}, {"colour": "category"}))
    assert traits({"colour": None, "title": "x"}, {"colour": "category", "title": "text"}).tolist() == [0.0] * TRAITS
    assert standardised(np.array([1.0, np.nan, 3.0])).tolist() == [-1.0, 0.0, 1.0]
    assert standardised(np.array([2.0, 2.0])).tolist() == [0.0, 0.0]
    assert standardised(np.array([np.nan])).tolist() == [0.0]


@pytest.mark.slow
def test_exploring_pays_and_its_log_tells_what_the_best_would_bring(tmp_path, monkeypatch):
    # What this is about needs no disk that keeps its word.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    explore, chance = exploring(tmp_path, pool=12), np.random.default_rng(7)
    lost, uniform = [], []
    for number in range(2_000):
        shown = explore.recommend([], user=f"u{number % 100}", k=2)[-1]
        rates = [explore.runtime.rate(f"i{place}") for place in range(1, 13)]
        explore.feedback(shown.exposure, reward=float(chance.random() < explore.runtime.rate(shown.item.id)))
        lost.append(max(rates) - explore.runtime.rate(shown.item.id))
        uniform.append(max(rates) - np.mean(rates))
    assert sum(lost) < 0.5 * sum(uniform)
    assert sum(lost[1_000:]) < sum(lost[:1_000])
    payoff = explore._bandit(now=200.0).payoff
    last = explore.log.exposures()[-1]
    greedy = explore.runtime.rate(last.candidates[int(np.argmax(payoff.means(np.array(last.contexts))))])
    found = {one.policy: one for one in report_of(explore.log).policies}
    assert found["bandit's best"].low <= greedy <= found["bandit's best"].high
    assert found["uniform"].low <= np.mean(rates) <= found["uniform"].high
    shown_rate = max(rates) - np.mean(lost)
    assert found["as shown"].low <= shown_rate <= found["as shown"].high
    # Its first item is taken so seldom that the bandit hardly shows it.
    assert found["recommender's best"].notes == ("too few exposures to tell",)
    print(sum(lost), sum(uniform), greedy, found)
