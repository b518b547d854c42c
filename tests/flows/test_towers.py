"""The two-tower model of a recommender: what is served is what was fitted, also for items that nobody took."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from flows.stages import towers
from flows.stages.towers import first_times, fit_towers, narrowed
from retrieval.recommending.interactions import read_interactions
from retrieval.recommending.kinds import load_model
from training.ranking import RankingFitting

ITEMS, USERS = 30, 40
COLD = (14, 29)


def taken():
    """Users of two tastes; items 0..14 are of the one, 15..29 of the other, and nobody takes the last of each."""
    random, rows = np.random.default_rng(0), []
    for user in range(USERS):
        own = np.arange(14) + 15 * (user % 2)
        for step, item in enumerate(random.choice(own, 7, replace=False)):
            rows.append((f"u{user:02}", f"i{int(item):02}", float(step), float(random.integers(1, 6))))
    users, items, times, weights = zip(*rows, strict=True)
    table = pa.table({"user": users, "item": items, "time": times, "weight": weights})
    events = read_interactions(table, user="user", item="item", time="time", weight="weight")
    return events.within([f"i{item:02}" for item in range(ITEMS)])


@pytest.fixture
def content():
    side = np.eye(2)[np.arange(ITEMS) // 15]
    return (side + np.random.default_rng(1).normal(scale=0.05, size=side.shape)).astype(np.float32)


def test_served_scores_are_those_of_the_fitted_model(content, monkeypatch, tmp_path):
    fitted, run = [], RankingFitting.run

    def kept(self):
        fitted.append(run(self))
        return fitted[-1]

    monkeypatch.setattr(towers.RankingFitting, "run", kept)
    events = taken()
    own = events.matrix(half_life_days=0.001)
    fit_towers(events, own, content, seed=3, epochs=3).save(tmp_path / "m")
    given = load_model(tmp_path / "m").scores(own)
    histories = torch.full((USERS, 7), -1)
    weights = torch.zeros((USERS, 7))
    for user in range(USERS):
        histories[user] = torch.from_numpy(own[user].indices)
        weights[user] = torch.from_numpy(own[user].data)
    with torch.inference_mode():
        asked = fitted[0].model(histories, torch.arange(ITEMS)[:, None].squeeze(1), weights)
    assert np.allclose(given, (asked["users"] @ asked["items"].T).numpy(), atol=1e-5)


def test_an_item_that_nobody_took_is_known_by_what_it_is(content):
    events = taken()
    scores = fit_towers(events, events.matrix(), content, seed=3).scores(events.matrix())
    for cold, taste in zip(COLD, (0, 1), strict=True):
        own = np.arange(USERS) % 2 == taste
        assert scores[own, cold].min() > scores[~own, cold].max()


def test_the_same_seed_gives_the_same_vectors(content):
    events = taken()
    one, again, other = (fit_towers(events, events.matrix(), content, seed=seed, epochs=2) for seed in (3, 3, 4))
    assert np.array_equal(one.pooled, again.pooled)
    assert np.array_equal(one.offered, again.offered)
    assert not np.array_equal(one.offered, other.offered)


def test_without_events_nothing_speaks_for_any_item(content):
    events = taken().rows(np.zeros(0, np.int64))
    assert not fit_towers(events, events.matrix(), content, seed=3).scores(taken().matrix()).any()


def test_one_user_with_one_item_is_enough(content):
    events = taken().rows(np.array([0]))
    assert np.isfinite(fit_towers(events, events.matrix(), content, seed=3, epochs=1).offered).all()


def test_an_item_is_asked_about_once_at_its_first_time():
    table = pa.table(
        {"u": ["a", "a", "a", "b"], "i": ["x", "y", "x", "x"], "t": [3.0, 2.0, 1.0, 0.0], "w": [5, 1, 1, 2]}
    )
    events = read_interactions(table, user="u", item="i", time="t", weight="w")
    pairs, weights = first_times(events, events.matrix())
    assert pairs.users.tolist() == [1, 0, 0]
    assert pairs.items.tolist() == [0, 0, 1]
    assert weights.tolist() == [2, 6, 1]


def test_wide_vectors_keep_what_items_differ_in():
    random = np.random.default_rng(2)
    plane = random.normal(size=(50, 5)) @ random.normal(size=(5, 300))
    narrow = narrowed({"text": plane[:, :200], "image": plane[:, 200:]}, seed=1, wide=8)
    assert narrow.shape == (50, 8)
    assert np.allclose(narrow @ narrow.T, plane @ plane.T, atol=1e-2 * np.abs(plane @ plane.T).max())
    assert narrowed({"text": plane[:0]}, seed=1).shape[0] == 0
