"""Each model against its formula written out, and what all of them promise."""

import numpy as np
import pytest
import scipy.sparse as sp

from polyloom.errors import DataError, IntegrityError, RequestError
from retrieval.recommending.content import make_content
from retrieval.recommending.ease import closed_form, fit_ease
from retrieval.recommending.factors import Factors, fit_factors
from retrieval.recommending.kinds import load_model
from retrieval.recommending.neighbours import fit_neighbours
from retrieval.recommending.popularity import fit_popularity
from retrieval.recommending.vectors import Vectors

random = np.random.default_rng(5)
DENSE = (random.random((30, 9)) < 0.4) * random.integers(1, 6, (30, 9)).astype(np.float32)
DENSE[:, 8] = 0
HISTORIES = sp.csr_matrix(DENSE)
LOOKS = random.normal(size=(9, 5))
LOOKS[3] = 0

MODELS = {
    "popularity": lambda: fit_popularity(HISTORIES),
    "ease": lambda: fit_ease(HISTORIES, regularisation=2.0, users_damped=0.3, items_damped=0.2),
    "neighbours": lambda: fit_neighbours(HISTORIES, most=3, shrinkage=1.0),
    "factors": lambda: fit_factors(HISTORIES, factors=4, regularisation=0.5, seed=3),
    "content": lambda: make_content({"text": LOOKS, "picture": LOOKS[:, :2]}, weights={"text": 2.0, "picture": 1.0}),
    "towers": lambda: Vectors(LOOKS.astype(np.float32), LOOKS[::-1].astype(np.float32), unit=True),
}


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]()


def test_one_history_scores_as_in_a_batch_and_the_same_each_time(model):
    batch = model.scores(HISTORIES)
    assert batch.shape == HISTORIES.shape
    assert batch.dtype == np.float32
    singly = np.vstack([model.scores(HISTORIES[user]) for user in range(len(DENSE))])
    assert np.allclose(batch, singly, atol=1e-5)
    assert np.array_equal(MODELS[model.kind]().scores(HISTORIES), batch)


def test_a_round_trip_through_disk_changes_nothing(model, tmp_path):
    model.save(tmp_path / "m")
    again = load_model(tmp_path / "m")
    assert type(again) is type(model)
    assert np.array_equal(again.scores(HISTORIES), model.scores(HISTORIES))
    assert again.reasons(HISTORIES[0], 2) == model.reasons(HISTORIES[0], 2)


def test_no_histories_and_an_empty_one(model):
    assert model.scores(HISTORIES[:0]).shape == (0, 9)
    empty = model.scores(sp.csr_matrix((1, 9), dtype=np.float32))
    assert model.kind == "popularity" or not empty.any()
    assert model.reasons(sp.csr_matrix((1, 9), dtype=np.float32), 2) == []


def test_shares_of_reasons_sum_to_one_and_are_of_the_history(model):
    reasons = model.reasons(HISTORIES[1], 2)
    assert {reason.item for reason in reasons} <= set(HISTORIES[1].indices.tolist())
    assert not reasons or np.isclose(sum(reason.share for reason in reasons), 1.0)
    assert [reason.share for reason in reasons] == sorted((reason.share for reason in reasons), reverse=True)


def test_histories_over_other_items_are_refused(model):
    with pytest.raises(RequestError, match="over 4 items, the model over 9"):
        model.scores(sp.csr_matrix((1, 4), dtype=np.float32))


def test_another_kind_or_no_model_is_refused(tmp_path):
    with pytest.raises(IntegrityError, match="holds no model"):
        load_model(tmp_path)
    MODELS["popularity"]().save(tmp_path)
    from retrieval.recommending.ease import Ease

    with pytest.raises(IntegrityError, match="kind 'popularity', not 'ease'"):
        Ease.load(tmp_path)
    (tmp_path / "arrays.safetensors").write_bytes(b"\x09")
    with pytest.raises(IntegrityError, match="cannot be read as the arrays"):
        load_model(tmp_path)


def test_ease_is_each_columns_ridge_regression_without_itself():
    links = closed_form(HISTORIES.astype(np.float64), regularisation=2.0)
    wide = DENSE.astype(np.float64)
    penalty = 2.0 * np.mean(HISTORIES.data.astype(np.float64) ** 2)
    for item in range(9):
        others = [other for other in range(9) if other != item]
        gram = wide[:, others].T @ wide[:, others] + penalty * np.eye(8)
        assert np.allclose(links[others, item], np.linalg.solve(gram, wide[:, others].T @ wide[:, item]))
        assert links[item, item] == 0


def test_a_free_diagonal_ranks_new_items_as_the_zero_diagonal_over_users():
    wide = DENSE[:, :8].astype(np.float64)
    found = wide @ closed_form(sp.csr_matrix(wide), regularisation=2.0, constrained=0.0)
    penalty = 2.0 * np.mean(wide[wide > 0] ** 2)
    inverse = np.linalg.inv(wide @ wide.T + penalty * np.eye(len(wide)))
    over_users = -inverse / np.diag(inverse)[:, None]
    np.fill_diagonal(over_users, 0)
    for mine, theirs, seen in zip(found, over_users @ wide, wide > 0, strict=True):
        # The two differ by a factor above 0 for each user.
        factors = mine[~seen] / theirs[~seen]
        assert np.allclose(factors, factors[0])
        assert factors[0] > 0


def test_items_that_take_no_part_in_ease_score_nothing():
    found = fit_ease(HISTORIES, most=3)
    assert len(found.items) == 3
    assert set(np.flatnonzero(found.scores(HISTORIES).any(axis=0))) <= set(found.items.tolist())
    assert 8 not in fit_ease(HISTORIES).items
    assert found.reasons(HISTORIES[0], 8) == []


def test_neighbours_are_shrunken_cosines_written_out():
    taken = (DENSE > 0).astype(float)
    links = fit_neighbours(HISTORIES, most=9, shrinkage=2.0).links.toarray()
    for one in range(9):
        for other in range(9):
            lengths = np.sqrt(taken[:, one].sum() * taken[:, other].sum())
            expected = 0.0 if one == other else taken[:, one] @ taken[:, other] / (lengths + 2.0)
            assert links[one, other] == pytest.approx(expected)
    few = fit_neighbours(HISTORIES, most=2, shrinkage=2.0).links.toarray()
    for item in range(9):
        kept = np.flatnonzero(few[:, item])
        assert len(kept) <= 2
        assert np.allclose(np.sort(few[kept, item])[::-1], np.sort(links[:, item])[::-1][: len(kept)])


def test_a_folded_in_user_solves_the_weighted_least_squares():
    model = Factors(random.normal(size=(9, 3)).astype(np.float32), regularisation=0.7, alpha=2.0, power=0.5)
    wide = model.vectors.astype(np.float64)
    for user in range(5):
        confidences = np.where(DENSE[user] > 0, 2.0 * np.sqrt(DENSE[user]), 1.0)
        left = sum(c * np.outer(y, y) for c, y in zip(confidences, wide, strict=True)) + 0.7 * np.eye(3)
        right = sum(c * y for c, y, taken in zip(confidences, wide, DENSE[user] > 0, strict=True) if taken)
        assert np.allclose(model.users(HISTORIES[user])[0], np.linalg.solve(left, right), atol=1e-5)


def test_folding_in_is_the_step_that_implicit_takes():
    from implicit.als import AlternatingLeastSquares

    fit = AlternatingLeastSquares(factors=4, regularization=0.5, alpha=2.0, random_state=3, num_threads=1)
    fit.fit(HISTORIES, show_progress=False)
    theirs = fit.recalculate_user(np.arange(30), HISTORIES)
    model = Factors(fit.item_factors, regularisation=0.5, alpha=2.0, power=1.0)
    # Implicit takes a few steps of conjugate gradients instead of solving.
    assert np.allclose(model.users(HISTORIES), theirs, atol=1e-2)


def test_the_reasons_of_factors_sum_to_the_score():
    model = MODELS["factors"]()
    history = HISTORIES[0]
    confidences = 2.0 * history.data.astype(np.float64)
    own = model.vectors[history.indices].astype(np.float64)
    inverse = np.linalg.inv(model.ground + (own.T * (confidences - 1)) @ own)
    worth = confidences * (own @ inverse @ model.vectors[2])
    assert worth.sum() == pytest.approx(model.scores(history)[0, 2], abs=1e-4)
    assert model.reasons(history, 2)[0].item == history.indices[worth.argmax()]


def test_nothing_to_learn_from():
    none = sp.csr_matrix((4, 3), dtype=np.float32)
    for fitted in (fit_factors(none, factors=2), fit_ease(none), fit_neighbours(none), fit_popularity(none)):
        assert not fitted.scores(none).any()


def test_content_by_hand():
    # Items 0 and 1 at right angles, 2 between them, 3 unknown.
    model = make_content({"text": np.array([[2.0, 0], [0, 1], [1, 1], [0, 0]])}, mean_share=0.25)
    found = model.scores(sp.csr_matrix(np.array([[1.0, 1, 0, 0], [0, 0, 0, 1]], np.float32)))
    half = np.sqrt(0.5)
    assert np.allclose(found[0], [0.25 * half + 0.75, 0.25 * half + 0.75, 0.25 + 0.75 * half, 0])
    assert not found[1].any()
    with pytest.raises(DataError, match=r"fields over the same items.*'a': 2, 'b': 3"):
        make_content({"a": np.ones((2, 2)), "b": np.ones((3, 2))})


def test_pooled_vectors_by_hand():
    model = Vectors(np.eye(3, dtype=np.float32), np.array([[1, 0, 0], [0, 2, 0], [1, 1, 0]], np.float32))
    found = model.scores(sp.csr_matrix(np.array([[3.0, 1, 0]], np.float32)))
    assert np.allclose(found, [[0.75, 0.5, 1.0]])
    assert [(reason.item, reason.share) for reason in model.reasons(sp.csr_matrix([[3.0, 1, 0]]), 2)] == [
        (0, 0.75), (1, 0.25)
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"\[2, 3\] and \[3, 3\]"):
        Vectors(np.ones((2, 3)), np.ones((3, 3)))
