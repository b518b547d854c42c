"""A two-tower model learns who belongs to which taste, also for items that nobody took."""

import numpy as np
import pytest

from polyloom.errors import DataError, RequestError
from training.device import place
from training.histories import Events, leave_last_out, newest_items, taken
from training.ranking import RankingFitting, item_lists, ndcg_of, user_scores, values_before

USERS, ITEMS = 40, 24


def tastes(*, seed=0):
    """Users of two tastes; items 0..11 are of the one, 12..23 of the other, and their content says so."""
    random = np.random.default_rng(seed)
    users, items = [], []
    for user in range(USERS):
        own = np.arange(ITEMS) // 12 == user % 2
        # Nobody takes the last item of a taste.
        own[[11, 23]] = False
        for item in random.choice(np.flatnonzero(own), size=6, replace=False):
            users.append(user)
            items.append(item)
    times = random.permutation(len(users)).astype(float)
    content = np.eye(2)[np.arange(ITEMS) // 12] + random.normal(scale=0.05, size=(ITEMS, 2))
    return Events.sorted_by_time(np.array(users), np.array(items), times), content


def fitting(**changed):
    events, content = tastes()
    kept, last = leave_last_out(events)
    settings = {"epochs": 15, "batch_size": 64, "dim": 8, "longest": 6, "learning_rate": 0.02, "seed": 1}
    own = {"held_out": last, **settings, **changed}
    return RankingFitting(events=kept, content=content, users=USERS, placement=place("fp32"), **own)


@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_items_of_the_own_taste_come_first_even_those_that_nobody_took(pooling):
    task = fitting(pooling=pooling)
    result = task.run()
    assert result.losses[-1] < result.losses[0]
    scores = user_scores(result.model, newest_items(task.events, users=USERS, longest=6))
    for item, taste in ((11, 0), (23, 1)):
        own = scores[np.arange(USERS) % 2 == taste, item]
        other = scores[np.arange(USERS) % 2 != taste, item]
        assert own.min() > other.max()


def test_the_model_holds_the_best_epoch():
    task = fitting(epochs=4)
    result = task.run()
    scores = user_scores(result.model, newest_items(task.events, users=USERS, longest=6))
    assert ndcg_of(scores, task.events, task.held_out) == pytest.approx(max(result.validation))
    assert result.validation[result.best_epoch] == max(result.validation)


def test_without_held_out_events_the_last_epoch_is_kept():
    result = fitting(epochs=3, held_out=None, layer="linear", weights=np.ones(len(fitting().events))).run()
    assert (result.validation, result.best_epoch, len(result.losses)) == ((), 2, 3)


def test_weights_count_in_a_mean_alone():
    with pytest.raises(RequestError, match="Weights count in a mean, and the pooling is 'attention'"):
        fitting(pooling="attention", weights=np.ones(200))


def test_values_of_what_was_taken_before_the_newest_first():
    events = Events(users=np.array([0, 1, 0, 0]), items=np.array([5, 5, 6, 7]))
    values = values_before(events, np.array([1.0, 8.0, 4.0, 2.0]), longest=2)
    assert values.tolist() == [[0, 0], [0, 0], [1, 0], [1, 0.25]]


def test_the_same_seed_gives_the_same():
    assert fitting(epochs=2).run().losses == fitting(epochs=2).run().losses


def test_what_was_taken_before_is_not_offered_again():
    events = Events(users=np.array([0, 0]), items=np.array([0, 1]))
    held_out = Events(users=np.array([0]), items=np.array([2]))
    assert ndcg_of(np.array([[9.0, 8.0, 1.0, 0.0]]), events, held_out) == 1.0
    assert ndcg_of(np.array([[9.0, 8.0, 0.0, 1.0]]), events, held_out) == pytest.approx(1 / np.log2(3))


def test_lists_of_items_are_distinct_and_padded():
    events = Events(users=np.array([1, 0, 1, 1]), items=np.array([3, 2, 3, 1]))
    assert item_lists(events, users=3).tolist() == [[2, -1], [1, 3], [-1, -1]]
    assert taken(events, users=3, items=4).sum() == 3


def test_a_loss_that_is_no_number_says_what_to_do():
    with pytest.raises(DataError, match="the loss is nan at step 0: lower the learning rate"):
        fitting(temperature=float("nan")).run()
