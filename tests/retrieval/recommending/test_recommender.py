"""Lists for histories: what is shown, what never is, and why."""

import numpy as np
import pytest
import scipy.sparse as sp

from polyloom.errors import DataError, IntegrityError, RequestError
from retrieval.recommending.blend import Blend, learn_weights, make_trial, standardised
from retrieval.recommending.content import make_content
from retrieval.recommending.ease import fit_ease
from retrieval.recommending.factors import fit_factors
from retrieval.recommending.neighbours import fit_neighbours
from retrieval.recommending.popularity import Popularity, fit_popularity
from retrieval.recommending.recommender import Event, Recommender, open_recommender

# Two crowds: one takes 0 to 3, the larger one 4 to 7; nobody took 8, which is like 0.
ITEMS = ["a", "b", "c", "d", "鞋", "f", "g", "h", "new"]
DENSE = np.zeros((24, 9), np.float32)
random = np.random.default_rng(3)
DENSE[:10, :4] = random.random((10, 4)) < 0.7
DENSE[10:, 4:8] = random.random((14, 4)) < 0.7
HISTORIES = sp.csr_matrix(DENSE)
LOOKS = np.vstack([np.eye(8), np.eye(8)[:1]])


@pytest.fixture(scope="module")
def recommender():
    models = (
        fit_popularity(HISTORIES),
        fit_ease(HISTORIES, regularisation=1.0),
        fit_neighbours(HISTORIES, shrinkage=0.1),
        fit_factors(HISTORIES, factors=2, regularisation=0.1, seed=1),
        make_content({"text": LOOKS}),
    )
    return Recommender(ITEMS, Blend(models, (0.0, 1.0, 0.5, 0.5, 0.1)))


def ids(found):
    return [one.id for one in found]


def test_each_crowd_gets_its_own(recommender):
    assert set(ids(recommender.recommend([Event("a"), Event("b")], k=2))) == {"c", "d"}
    assert set(ids(recommender.recommend([Event("鞋")], k=3))) == {"f", "g", "h"}


def test_it_says_which_models_and_which_items_speak_for_it(recommender):
    best = recommender.recommend([Event("a"), Event("b"), Event("h")], k=1)[0]
    assert sum(best.parts.values()) == pytest.approx(1)
    assert set(best.parts) == {"popularity", "ease", "neighbours", "factors", "content"}
    assert best.because
    assert set(best.because) <= {"a", "b", "h"}


def test_a_new_event_changes_the_next_list(recommender):
    before = recommender.recommend([Event("a")], k=3)
    after = recommender.recommend([Event("a"), Event("鞋", 5.0)], k=3)
    assert ids(before) != ids(after)


def test_an_item_that_nobody_took_is_found_by_its_content(recommender):
    content = Recommender(ITEMS, Blend(recommender.blend.models[-1:], (1.0,)))
    assert ids(content.recommend([Event("a")], k=1)) == ["new"]


def test_a_new_user_and_one_of_unknown_items_get_what_is_popular(recommender):
    popular = [ITEMS[number] for number in np.argsort(-DENSE.sum(axis=0), kind="stable")[:3]]
    for history in ([], [Event("nobody knows this")]):
        found = recommender.recommend(history, k=3)
        assert ids(found) == popular
        assert all(one.because == [] and one.parts["popularity"] == 1 for one in found)


def test_seen_everything_and_nothing_allowed_is_an_empty_list(recommender):
    everything = [Event(item) for item in ITEMS]
    assert recommender.recommend(everything, k=3) == []
    assert len(recommender.recommend(everything, k=3, seen="keep")) == 3
    assert recommender.recommend([], k=3, allowed=np.zeros(9, dtype=bool)) == []
    assert len(recommender.recommend([Event("a")], k=50)) == 8


def test_an_empty_catalogue_is_an_empty_list(tmp_path):
    empty = Recommender([], None)
    assert empty.recommend([Event("a")], k=3) == []
    empty.save(tmp_path / "r")
    assert open_recommender(tmp_path / "r").recommend([], k=1) == []


def test_a_mask_keeps_to_what_is_allowed_and_is_not_changed(recommender):
    mask = np.array([item in {"a", "c", "h"} for item in ITEMS])
    assert set(ids(recommender.recommend([Event("a")], k=9, allowed=mask))) == {"c", "h"}
    assert mask.sum() == 3


def test_diversity_puts_what_is_alike_further_down():
    looks = np.array([[1.0, 0], [1, 0.01], [0, 1], [1, 0]])
    models = (Popularity(np.array([9, 8, 5, 0], np.float32)), make_content({"text": looks}))
    plain = Recommender(["a", "b", "c", "d"], Blend(models, (1.0, 0.0)))
    assert ids(plain.recommend([], k=2)) == ["a", "b"]
    assert ids(plain.recommend([], k=2, diversity=0.5)) == ["a", "c"]
    without = Recommender(["a", "b", "c", "d"], Blend(models[:1], (1.0,)))
    assert ids(without.recommend([], k=2, diversity=0.5)) == ["a", "b"]


def test_what_is_old_counts_less(recommender):
    fading = Recommender(ITEMS, recommender.blend, half_life_days=1.0)
    found = fading.histories([[Event("a", 2.0, 0.0), Event("b", 1.0, 2 * 86_400.0)]]).toarray()
    assert found[0, :2].tolist() == [0.5, 1.0]


def test_a_round_trip_through_disk_gives_the_same_lists(recommender, tmp_path):
    recommender.save(tmp_path / "r")
    again = open_recommender(tmp_path / "r")
    for history in ([], [Event("a"), Event("h")]):
        assert again.recommend(history, k=5, diversity=0.2) == recommender.recommend(history, k=5, diversity=0.2)
    with pytest.raises(DataError, match="is there already"):
        recommender.save(tmp_path / "r")
    with pytest.raises(IntegrityError, match="holds no recommender"):
        open_recommender(tmp_path)


def test_wrong_requests_are_named(recommender):
    with pytest.raises(RequestError, match="k is 0"):
        recommender.recommend([], k=0)
    with pytest.raises(RequestError, match=r"float64 \[4\]; it must be bool \[9\]"):
        recommender.recommend([], k=1, allowed=np.ones(4))
    with pytest.raises(RequestError, match="seen is 'hide'"):
        recommender.recommend([], k=1, seen="hide")
    with pytest.raises(RequestError, match="diversity is 2"):
        recommender.recommend([], k=1, diversity=2)
    with pytest.raises(DataError, match="has 1 items, the blend scores 9"):
        Recommender(["a"], recommender.blend)
    with pytest.raises(RequestError, match="a weight for each"):
        Blend(recommender.blend.models, (1.0,))


def test_scores_are_standardised_within_a_user():
    assert standardised(np.array([[0.0, 2.0], [3.3, 3.3]])).tolist() == [[-1, 1], [0, 0]]
    assert not standardised(np.full((1, 1000), 0.1, np.float32)).any()


def test_weights_find_the_model_that_knows_and_follow_the_validation_cut():
    held_out = np.zeros_like(DENSE, dtype=bool)
    rows = np.flatnonzero(DENSE.sum(axis=1) > 1)
    held_out[rows, [np.flatnonzero(DENSE[row])[0] for row in rows]] = True
    train = sp.csr_matrix(np.where(held_out, 0, DENSE))
    models = [fit_popularity(train), fit_ease(train, regularisation=1.0)]
    trial = make_trial(models, train, held_out)
    weights = learn_weights([trial], k=3)
    assert weights[1] > 0
    assert trial.value(weights, k=3) >= max(trial.value((1, 0), k=3), trial.value((0, 1), k=3))
    assert learn_weights([trial], k=3) == weights
    with pytest.raises(RequestError, match="got none"):
        learn_weights([])
