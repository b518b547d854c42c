"""Evidence for the first candidate, and the regression over it."""

import json

import numpy as np
import pytest

from polyloom.errors import DataError, IntegrityError
from retrieval.answering.candidates import Candidate
from retrieval.answering.confidence import FEATURES, Confidence, evidence, fit_confidence


def candidate(name, score, *, cosine=0.0, keyword=0.0, answer=None):
    return Candidate(name, "a.md", 0, 4, f"{name} text", score, cosine=cosine, keyword=keyword, answer=answer)


def test_margins_are_to_another_answer():
    found = [
        candidate("a", 0.9, cosine=0.8, keyword=4.0, answer="x"),
        candidate("b", 0.8, cosine=0.9, keyword=1.0, answer="x"),
        candidate("c", 0.5, cosine=0.6, keyword=3.0, answer="y"),
    ]
    values = dict(zip(FEATURES, evidence("a thing", found), strict=True))
    assert values["score_margin"] == pytest.approx(0.4)
    assert values["cosine_margin"] == pytest.approx(0.2)
    assert values["keyword_margin"] == pytest.approx(0.25)
    assert values["agreement"] == 1.0
    assert values["votes"] == pytest.approx(2 / 3)


def test_the_share_of_the_terms_that_are_there():
    found = [Candidate("a", "a.md", 0, 4, "Lost cards", 0.9)]
    values = dict(zip(FEATURES, evidence("lost phone", found, rarity={"lost": 1.0, "phone": 3.0}.get), strict=True))
    assert values["covered"] == pytest.approx(0.25)


def test_nothing_found_is_no_evidence():
    assert not evidence("anything", []).any()


def rows(count=400):
    generator = np.random.default_rng(0)
    values = generator.normal(size=(count, len(FEATURES)))
    return values, generator.random(count) < 1 / (1 + np.exp(-2 * values[:, 0]))


def test_it_finds_what_matters_and_is_calibrated():
    values, right = rows(4000)
    fitted = fit_confidence(values, right)
    assert np.argmax(np.abs(fitted.weights)) == 0
    assert fitted.weights[0] == pytest.approx(2.0, abs=0.25)
    assert fitted(values).mean() == pytest.approx(right.mean(), abs=0.01)


@pytest.mark.parametrize("all_right", [True, False])
def test_rows_that_are_all_alike_give_finite_weights(all_right):
    values, _ = rows()
    found = fit_confidence(values, np.full(len(values), all_right))(values)
    assert np.isfinite(found).all()
    assert (found > 0.5).all() == all_right


def test_it_goes_through_json():
    values, right = rows()
    fitted = fit_confidence(values, right)
    known = json.loads(json.dumps(fitted.to_json()))
    assert np.array_equal(Confidence.from_json(known)(values), fitted(values))
    with pytest.raises(IntegrityError, match="Fit it again"):
        Confidence.from_json(known | {"features": ["other"]})


@pytest.mark.parametrize(
    "values", [np.zeros((5, len(FEATURES))), np.full((50, len(FEATURES)), np.nan), np.zeros((50, 2))]
)
def test_rows_that_will_not_do(values):
    with pytest.raises(DataError, match="needed are at least 20 rows"):
        fit_confidence(values, np.ones(len(values), dtype=bool))
