import numpy as np
import pytest

from heads.directed import directed_macro_f1, directed_name, relation_numbers, with_relations

LABELS = ("A(e1,e2)", "A(e2,e1)", "B(e1,e2)", "B(e2,e1)", "Other")
A12, A21, B12, B21, OTHER = range(5)


def score(truth, predicted, labels=LABELS):
    return directed_macro_f1(*(with_relations(np.array(numbers), labels) for numbers in (truth, predicted)))


def test_all_right_is_one_and_other_does_not_count():
    assert score([A12, A21, B12, OTHER], [A12, A21, B12, OTHER]) == 1.0
    assert score([A12, OTHER], [A12, A12]) == pytest.approx(2 / 3)  # P 1/2, R 1


def test_the_right_name_in_the_wrong_direction_is_missed_by_precision_and_recall():
    # A: 1 hit, 2 true, 2 predicted. B: 1 hit, 1 true, 1 predicted.
    assert score([A12, A12, B12], [A12, A21, B12]) == pytest.approx((1 / 2 + 1) / 2)


def test_a_wrong_direction_costs_as_much_as_another_relation_that_occurs():
    # A: P 1/1, R 1/2, F 2/3. B: P 1/2, R 1/1, F 2/3.
    assert score([A12, A12, B12], [A12, B21, B12]) == pytest.approx(2 / 3)


def test_both_directions_make_one_relation():
    # Two hits of three; taken apart, the two directions would have F1 of 1 and 2/3.
    assert score([A12, A21, A21], [A12, A21, OTHER]) == pytest.approx(2 * 2 / (3 + 2))


def test_relations_that_the_truth_does_not_have_are_not_averaged():
    assert score([A12, A12], [A12, B12]) == pytest.approx(2 / 3)
    assert score([OTHER, OTHER], [A12, OTHER]) == 0.0


def test_other_as_an_answer_is_a_miss_and_other_as_truth_a_false_find():
    # A: 1 hit, 2 true, 2 predicted.
    assert score([A12, A12, OTHER], [A12, OTHER, A21]) == pytest.approx(1 / 2)


@pytest.mark.parametrize("stranger", [-1, -2, 5, 99])
def test_a_label_of_another_release_is_a_miss_without_a_name(stranger):
    assert score([A12, A12], [A12, stranger]) == pytest.approx(2 / 3)


def test_labels_without_a_direction_are_no_relation():
    assert directed_name("Cause-Effect(e2,e1)") == "Cause-Effect"
    assert directed_name("Other") is None
    assert directed_name("Cause-Effect(e1,e1)") is None
    assert score([0, 1], [0, 1], labels=("cause", "Other")) == 0.0
    assert with_relations(np.array([A21, OTHER, B12, -1]), LABELS).tolist() == [[1, 0], [4, -1], [2, 1], [-1, -1]]


def test_a_direction_that_is_not_known_is_still_of_its_relation():
    known = ("B(e1,e2)", "A(e1,e2)", "Other")
    assert relation_numbers(["A(e2,e1)", "B(e1,e2)", "Other", "C(e1,e2)"], known=known).tolist() == [0, 1, -1, -1]


def test_no_rows():
    assert score(np.zeros(0, int), np.zeros(0, int)) == 0.0


# A confusion matrix that the task's own scorer printed (a text CNN's answers to the 2,717 test rows); a row is the
# truth, the last column the answers with the right name in the wrong direction. The scorer's figure for it: 79.05%.
PRINTED = """
296 0 0 0 9 1 0 1 2 15 4
2 209 5 3 1 9 13 5 2 32 31
0 4 160 10 2 0 0 1 0 11 4
0 2 10 260 0 0 0 2 1 16 1
2 1 0 12 221 1 0 1 3 16 1
0 4 1 2 2 101 1 3 9 31 2
0 6 0 0 2 3 195 4 2 20 1
1 2 0 2 0 0 3 228 3 19 3
4 4 2 1 9 10 0 5 167 24 5
20 25 25 25 32 20 39 39 26 203 0
"""


def test_the_official_scorers_figure_comes_out():
    names = [f"R{number}" for number in range(9)]
    labels = [f"{name}({ends})" for name in names for ends in ("e1,e2", "e2,e1")] + ["Other"]
    truth, predicted = [], []
    for number, line in enumerate(PRINTED.split("\n")[1:-1]):
        for other, count in enumerate(map(int, line.split())):
            truth += [2 * number] * count
            predicted += [2 * number + 1 if other == 10 else 2 * other] * count
    assert len(truth) == 2717
    assert round(100 * score(truth, predicted, labels), 2) == 79.05
