"""The learned ranker: it finds an order that no column has alone, says why, and is the same from disk."""

import numpy as np
import pytest

from polyloom.errors import DataError, IntegrityError, RequestError
from retrieval.recommending.ranker import Ranker
from retrieval.recommending.ranker_input import RankedRows, ndcg

NAMES = ("two_tower", "price", "days")


def requests(number=160, size=12, seed=0):
    """Relevance from the sum of a model's score and freshness; the price says nothing, and some of it is unknown."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(number * size, 3))
    wanted = features[:, 0] - features[:, 2] + 0.3 * generator.normal(size=number * size)
    relevance = (wanted > 1).astype(int) + (wanted > 2)
    features[::5, 1] = np.nan
    features[::7, 2] = np.nan
    return features, relevance, np.repeat(np.arange(number), size)


@pytest.fixture(scope="module")
def ranker():
    features, relevance, groups = requests()
    return Ranker.fit(features, relevance, groups, names=NAMES, seed=3)


def test_it_orders_new_requests_better_than_any_column(ranker):
    features, relevance, groups = requests(seed=1)
    rows = RankedRows(features=features, relevance=relevance, sizes=np.bincount(groups))
    learned = ndcg(ranker.scores(features), rows)
    alone = [ndcg(np.nan_to_num(sign * features[:, column]), rows) for column in range(3) for sign in (1, -1)]
    assert learned > max(alone) + 0.08
    assert ranker.note is None
    assert ranker.held_out.ndcg > ranker.held_out.fallback_ndcg + 0.08
    assert ranker.held_out.groups == 32


def test_it_says_what_counts(ranker):
    shares = ranker.importance()
    assert list(shares)[-1] == "price"
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["two_tower"] > 5 * shares["price"]


def test_reasons_are_by_name_and_add_up_to_the_score(ranker):
    rows = np.array([[1.5, 0.0, -1.5], [1.5, 0.0, 1.5]])
    good, bad = (ranker.reasons(row) for row in rows)
    assert {one.name for one in good} == {*NAMES}
    assert abs(good[0].contribution) >= abs(good[1].contribution) >= abs(good[2].contribution)
    assert {one.name: one.contribution > 0 for one in good}["days"]
    assert {one.name: one.contribution < 0 for one in bad}["days"]
    difference = sum(one.contribution for one in good) - sum(one.contribution for one in bad)
    scores = ranker.scores(rows)
    assert difference == pytest.approx(scores[0] - scores[1])


def test_a_seed_gives_the_same_ranker_whatever_the_order_of_requests(ranker):
    features, relevance, groups = requests()
    again = Ranker.fit(features, relevance, groups, names=NAMES, seed=3)
    assert again.booster.model_to_string() == ranker.booster.model_to_string()
    mixed = np.random.default_rng(0).permutation(160)
    order = np.argsort(mixed[groups], kind="stable")
    shuffled = Ranker.fit(features[order], relevance[order], groups[order], names=NAMES, seed=3)
    assert shuffled.booster.model_to_string() == ranker.booster.model_to_string()


def test_from_disk_it_is_the_same(ranker, tmp_path):
    features, *_ = requests(seed=2)
    ranker.save(tmp_path / "ranker")
    assert sorted(path.name for path in (tmp_path / "ranker").iterdir()) == ["model.txt", "ranker.json"]
    again = Ranker.load(tmp_path / "ranker")
    assert np.array_equal(again.scores(features), ranker.scores(features))
    assert (again.names, again.fallback, again.held_out, again.note) == (
        NAMES,
        "two_tower",
        ranker.held_out,
        None,
    )
    with pytest.raises(DataError, match="is there already"):
        ranker.save(tmp_path / "ranker")


def test_a_changed_file_is_refused(ranker, tmp_path):
    ranker.save(tmp_path / "ranker")
    model = tmp_path / "ranker" / "model.txt"
    model.write_text(model.read_text().replace("leaf_value=", "leaf_value=1", 1))
    with pytest.raises(IntegrityError, match=r"model\.txt is not what was recorded"):
        Ranker.load(tmp_path / "ranker")
    model.unlink()
    with pytest.raises(IntegrityError, match="does not hold a whole ranker"):
        Ranker.load(tmp_path / "ranker")


def test_columns_by_name(ranker):
    features, *_ = requests(number=3)
    turned = ranker.scores(features[:, ::-1], names=NAMES[::-1])
    assert np.array_equal(turned, ranker.scores(features))
    assert ranker.scores(np.zeros((0, 3))).shape == (0,)
    with pytest.raises(RequestError, match=r"missing: days, unknown: day\. Did you mean 'days'\?"):
        ranker.scores(features, names=("two_tower", "price", "day"))
    with pytest.raises(RequestError, match=r"must be \[rows, 3\], the columns being two_tower, price, days"):
        ranker.scores(features[:, :2])
    with pytest.raises(RequestError, match="column 'price' holds infinity"):
        ranker.reasons(np.array([0.0, np.inf, 0.0]))
    with pytest.raises(RequestError, match="name stands twice among a, a"):
        Ranker.fit(features[:, :2], np.zeros(36), np.zeros(36), names=("a", "a"), seed=0)


def test_with_too_few_requests_it_falls_back_and_says_so(tmp_path):
    features, relevance, groups = requests(number=20)
    ranker = Ranker.fit(features, relevance, groups, names=NAMES, seed=0, fallback="days")
    assert "at least 50 are needed to learn from. Candidates are ordered by 'days' alone" in ranker.note
    scores = ranker.scores(features)
    assert np.array_equal(scores[1:7], features[1:7, 2])
    assert scores[0] == -np.inf
    assert ranker.importance() == {"days": 1.0, "two_tower": 0.0, "price": 0.0}
    assert ranker.reasons(features[1]) == [("days", features[1, 2])]
    ranker.save(tmp_path / "ranker")
    assert Ranker.load(tmp_path / "ranker") == ranker


def test_requests_that_tell_nothing_do_not_count():
    features, _, groups = requests()
    ranker = Ranker.fit(features, np.ones(len(groups)), groups, names=NAMES, seed=0)
    assert ranker.note.startswith("Only 0 of 160 requests have candidates of different relevance")


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        (
            {"relevance": np.full(36, 0.5)},
            DataError,
            "relevance of row 0 is 0.5; it must be a whole number from 0 to 30",
        ),
        ({"relevance": np.full(36, 31)}, DataError, "relevance of row 0 is 31"),
        ({"groups": np.zeros(4)}, DataError, "36 rows of features, 36 relevances and 4 groups"),
        ({"fallback": "age"}, RequestError, "fallback 'age' is not a column. There are two_tower, price, days"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(changes, error, said):
    features, relevance, groups = requests(number=3)
    own = {"features": features, "relevance": relevance, "groups": groups, "names": NAMES, "seed": 0}
    with pytest.raises(error, match=said):
        Ranker.fit(**{**own, **changes})


def test_more_candidates_than_lightgbm_takes_are_refused():
    with pytest.raises(DataError, match="A request has 10001 candidates; at most 10000"):
        Ranker.fit(np.zeros((10_001, 1)), np.zeros(10_001), np.zeros(10_001), names=("a",), seed=0)


def test_ndcg_by_hand():
    rows = RankedRows(features=np.zeros((5, 1)), relevance=np.array([2, 0, 1, 0, 0]), sizes=np.array([3, 2]))
    best = 3 + 1 / np.log2(3)
    found = 1 / np.log2(2) + 3 / np.log2(3)
    assert ndcg(np.array([2.0, 1.0, 3.0, 0.0, 0.0]), rows) == pytest.approx(found / best)
    assert ndcg(np.array([2.0, 0.0, 1.0, 0.0, 0.0]), rows) == pytest.approx(1.0)
