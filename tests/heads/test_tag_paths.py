"""Viterbi and forward-backward against every sequence there is, one by one."""

import itertools

import numpy as np
import pytest

from heads.entities import allowed_transitions, continuing, entities_of, tag_names
from heads.tag_paths import PathProbabilities, best_paths

WORDS = 4


def every_allowed(allowed):
    tags = len(allowed)
    for path in itertools.product(range(tags), repeat=WORDS):
        edges = [0, *path, 0]
        if all(allowed[one, other] for one, other in itertools.pairwise(edges)):
            yield path


@pytest.fixture(params=[("BIO", 1), ("BIO", 2), ("BIOES", 1)], ids=["BIO", "BIO two types", "BIOES"])
def case(request):
    scheme, types = request.param
    names = tag_names(("A", "B")[:types], scheme)
    random = np.random.default_rng(len(names))
    probabilities = random.dirichlet(np.full(len(names), 0.7), size=(6, WORDS))
    return names, allowed_transitions(names, scheme), probabilities


def scores(case):
    """Each allowed path with its probability, row by row."""
    _, allowed, probabilities = case
    paths = np.array(list(every_allowed(allowed)))
    for row in probabilities:
        yield paths, row[np.arange(WORDS), paths].prod(axis=1)


def test_the_best_path_is_the_best_of_all_allowed_ones(case):
    _, allowed, probabilities = case
    best = best_paths(np.log(probabilities), allowed=allowed)
    assert best.dtype == np.int64
    for row, (paths, products) in enumerate(scores(case)):
        assert best[row].tolist() == paths[products.argmax()].tolist()


def test_a_paths_probability_is_its_share_of_all_allowed_ones(case):
    names, allowed, probabilities = case
    distribution = PathProbabilities.of(probabilities, allowed=allowed, goes_on=continuing(names))
    best = best_paths(np.log(probabilities), allowed=allowed)
    expected = [products.max() / products.sum() for _, products in scores(case)]
    np.testing.assert_allclose(distribution.of_paths(best), expected, rtol=1e-9)


def test_an_entitys_probability_is_the_share_of_the_paths_that_hold_exactly_it(case):
    names, allowed, probabilities = case
    distribution = PathProbabilities.of(probabilities, allowed=allowed, goes_on=continuing(names))
    seen = 0
    for row, (paths, products) in enumerate(scores(case)):
        held = [set(entities_of([names[tag] for tag in path])) for path in paths]
        for entity in set().union(*held):
            _, start, end = entity
            holding = np.array([entity in one for one in held])
            tags = paths[holding.argmax()][start:end]
            expected = products[holding].sum() / products.sum()
            assert distribution.of_stretch(row, start, tags) == pytest.approx(expected, rel=1e-9)
            seen += 1
    assert seen > 50


def test_long_sentences_neither_vanish_nor_overflow():
    names = tag_names(("A",), "BIO")
    allowed = allowed_transitions(names, "BIO")
    probabilities = np.full((1, 3000, 3), 1 / 3)
    probabilities[0, 7] = [1e-300, 1.0, 1e-300]
    distribution = PathProbabilities.of(probabilities, allowed=allowed, goes_on=continuing(names))
    assert np.isfinite(distribution.before).all()
    assert np.isfinite(distribution.after).all()
    # Word 7 begins an entity for sure. After it B, I and O are alike but for what they allow later: by the golden rule
    # of this chain I follows with (3 - sqrt 5) / 2, so the entity is one word long with the rest.
    assert distribution.of_stretch(0, 7, np.array([1])) == pytest.approx((5**0.5 - 1) / 2, abs=1e-6)


def test_no_words_and_no_rows_have_paths_too():
    allowed = allowed_transitions(tag_names(("A",), "BIO"), "BIO")
    assert best_paths(np.zeros((2, 0, 3)), allowed=allowed).shape == (2, 0)
    assert best_paths(np.zeros((0, 4, 3)), allowed=allowed).shape == (0, 4)
