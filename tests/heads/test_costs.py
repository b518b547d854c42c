"""Costs and trees by hand: matrices, distances, the cheapest answer, the mean cost."""

import numpy as np
import pytest

from heads.costs import LabelTree, cheapest, cost_matrix, mean_cost, parents
from polyloom.errors import RequestError

LABELS = ("cat", "dog", "oak", "rose")
HIERARCHY = {"cat": "animal/mammal", "dog": ["animal", "mammal"], "oak": "plant/tree", "rose": "plant/flower"}
TREE = LabelTree.of(HIERARCHY, labels=LABELS)


def test_costs_by_hand():
    matrix = cost_matrix({"fraud": {"fine": 10}, "fine": {"fraud": 0.5}}, labels=("fine", "fraud", "odd"))
    assert matrix.tolist() == [[0, 0.5, 1], [10, 0, 1], [1, 1, 0]]


def test_a_label_may_be_right_and_still_cost_something():
    assert cost_matrix({"a": {"a": 0.2}}, labels=("a", "b")).tolist() == [[0.2, 1], [1, 0]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"frud": {"fine": 1}}, r"costs: no training row has the label 'frud'\. Did you mean 'fraud'\?"),
        ({"fine": {"x": 1}}, r"the label 'x'\. Labels are fine, fraud\."),
        ({"fine": {"fraud": -1}}, r"costs\.fine\.fraud: -1 is no cost"),
        ({"fine": {"fraud": float("nan")}}, r"nan is no cost"),
    ],
)
def test_a_wrong_cost_is_named(given, message):
    with pytest.raises(RequestError, match=message):
        cost_matrix(given, labels=("fine", "fraud"))


def test_distances_are_shares_of_the_height_of_the_tree():
    assert TREE.distances() == pytest.approx(
        np.array([[0, 1 / 3, 1, 1], [1 / 3, 0, 1, 1], [1, 1, 0, 2 / 3], [1, 1, 2 / 3, 0]])
    )


def test_a_flat_tree_makes_all_mistakes_alike():
    flat = LabelTree.of(dict.fromkeys("abc", ()), labels="abc")
    assert (flat.distances() == 1 - np.eye(3)).all()


def test_a_label_may_bear_the_name_of_a_parent():
    tree = LabelTree.of({"dog": "animal", "puppy": "animal/dog", "oak": "plant"}, labels=("dog", "oak", "puppy"))
    # The node `dog` above puppy is not the leaf `dog`.
    assert tree.distances()[0] == pytest.approx([0, 1, 2 / 3])


def test_heights_are_those_of_the_longest_way_down():
    tree = LabelTree.of({"a": "x", "b": "x/y/z", "c": ""}, labels="abc")
    assert (tree.heights[("x",)], tree.heights[()]) == (3, 4)


@pytest.mark.parametrize(
    ("hierarchy", "message"),
    [
        ({"cat": "animal"}, r"the label\(s\) dog, oak, rose have no place in it \(3 of 4\)"),
        ({**HIERARCHY, "cta": "animal"}, r"hierarchy: no training row has the label 'cta'\. Did you mean 'cat'\?"),
    ],
)
def test_a_tree_that_does_not_fit_the_labels_is_refused(hierarchy, message):
    with pytest.raises(RequestError, match=message):
        LabelTree.of(hierarchy, labels=LABELS)


def test_paths_are_lists_or_words_with_slashes():
    assert parents(" animal / mammal/ ") == parents(["animal", "mammal"]) == ("animal", "mammal")


def test_the_cheapest_answer_is_not_always_the_most_probable():
    costs = cost_matrix({"fraud": {"fine": 10}}, labels=("fine", "fraud"))
    probabilities = np.array([[0.95, 0.05], [0.8, 0.2]])
    # 0.05 * 10 < 0.95 * 1, but 0.2 * 10 > 0.8 * 1.
    assert cheapest(probabilities, costs).tolist() == [0, 1]


def test_with_equal_costs_the_cheapest_is_the_most_probable():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(5), size=200)
    assert (cheapest(probabilities, 1 - np.eye(5)) == probabilities.argmax(axis=1)).all()


def test_answers_that_cost_alike_go_to_the_more_probable():
    assert cheapest(np.array([[0.2, 0.5, 0.3]]), np.zeros((3, 3))).tolist() == [1]


def test_the_mean_cost_by_hand():
    costs = cost_matrix({"a": {"b": 4}}, labels=("a", "b", "c"))
    # Right, dear, usual, unknown truth, and an answer that is no label of ours.
    assert mean_cost(np.array([0, 0, 2, -1, 0]), np.array([0, 1, 0, 2, -2]), costs=costs) == (0 + 4 + 1 + 4) / 4
    assert np.isnan(mean_cost(np.array([-1]), np.array([0]), costs=costs))
