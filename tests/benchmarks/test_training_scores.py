"""The judge of both sides, against answers reckoned by hand."""

import pytest

from benchmarks.training_rows import Case
from benchmarks.training_scores import accuracy, entities, entity_f1, macro_f1, score

WORDS = ["Anne", "Sidot", "of", "New", "York", "Times", "left"]
TAGS = ["B-PER", "I-PER", "O", "B-LOC", "I-LOC", "B-LOC", "O"]


def case(**changed):
    return Case(**{"name": "toy", "kind": "classification", "label": "y", "metric": "accuracy", "epochs": 1, **changed})


def test_accuracy_is_the_share_of_right_answers():
    assert accuracy(["a", "b", "a", "c"], ["a", "b", "c", "c"]) == 0.75


def test_macro_f1_counts_each_class_alike_and_one_that_was_only_predicted_as_zero():
    # a: 2*1/(2+1), b: 2*1/(1+1), z: nothing right
    assert macro_f1(["a", "a", "b"], ["a", "z", "b"]) == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_entities_are_characters_of_the_joined_words():
    row = {"tokens": WORDS, "tags": TAGS}
    text = " ".join(WORDS)
    found = {(text[start:end], label) for start, end, label in entities(row)}
    assert found == {("Anne Sidot", "PER"), ("New York", "LOC"), ("Times", "LOC")}


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["I-PER", "I-PER"], {(0, 3, "PER")}),
        (["B-PER", "I-LOC"], {(0, 1, "PER"), (2, 3, "LOC")}),
        (["B-PER", "B-PER"], {(0, 1, "PER"), (2, 3, "PER")}),
        (["O", "O"], set()),
    ],
)
def test_tags_that_continue_nothing_begin_an_entity(tags, expected):
    assert entities({"tokens": ["a", "b"], "tags": tags}) == expected


def test_an_entity_counts_only_when_both_ends_and_the_label_are_right():
    truth = [{(0, 4, "PER"), (5, 9, "LOC")}, {(0, 2, "ORG")}]
    predicted = [{(0, 4, "PER"), (5, 8, "LOC")}, set()]
    assert entity_f1(truth, predicted) == pytest.approx(2 * 1 / (3 + 2))
    assert entity_f1([set()], [set()]) == 1.0


def test_a_case_is_scored_by_its_own_metric():
    rows = [{"y": "a"}, {"y": "b"}]
    assert score(case(), rows, ["a", "a"]) == 0.5
    assert score(case(metric="macro_f1"), rows, ["a", "a"]) == pytest.approx((2 / 3) / 2)
    tagged = [{"tokens": ["Rome"], "tags": ["B-LOC"]}]
    ner = case(kind="token_classification", metric="entity_f1")
    assert score(ner, tagged, [[[0, 4, "LOC"]]]) == 1.0
    assert score(ner, tagged, [[[0, 4, "PER"]]]) == 0.0


def test_an_answer_that_is_missing_is_refused():
    with pytest.raises(ValueError, match="toy: 1 predictions for 2 rows"):
        score(case(), [{"y": "a"}, {"y": "b"}], ["a"])
