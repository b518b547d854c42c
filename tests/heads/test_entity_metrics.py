"""Entity figures by hand, and against sets of spans."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from heads.entities import continuing, entities_of, tag_names, tags_of
from heads.entity_metrics import Spans, f1, precision, recall, span_counts

TYPES = ("LOC", "PER")
NAMES = tag_names(TYPES, "BIO")
KINDS = np.array([-1, 0, 0, 1, 1])


def numbers(*sentences, names=NAMES):
    width = max(len(sentence.split()) for sentence in sentences)
    table = np.full((len(sentences), width), -1)
    for row, sentence in enumerate(sentences):
        tags = sentence.split()
        table[row, : len(tags)] = [names.index(tag) for tag in tags]
    return table


def spans(table):
    return Spans.of(table, kinds=KINDS, goes_on=continuing(NAMES))


def test_spans_start_at_b_and_end_before_what_does_not_go_on():
    found = spans(numbers("B-LOC I-LOC O B-PER", "B-PER B-PER", "O"))
    assert found.kind.tolist() == [[0, -1, -1, 1], [1, 1, -1, -1], [-1, -1, -1, -1]]
    assert found.end.tolist() == [[2, -1, -1, 4], [1, 2, -1, -1], [-1, -1, -1, -1]]


def test_only_the_same_words_of_the_same_type_are_right():
    truth = numbers("B-LOC I-LOC O B-PER", "B-PER I-PER", "B-LOC", "O", "B-PER I-PER I-PER")
    told = numbers("B-LOC I-LOC O B-LOC", "B-PER O", "B-LOC", "B-PER", "B-PER I-PER I-PER")
    # Rows: the place found and the person called a place; too short; right; invented; right.
    assert span_counts(spans(truth), spans(told), types=2).tolist() == [
        [[1, 2, 1], [0, 0, 1]],
        [[0, 0, 0], [0, 1, 1]],
        [[1, 1, 1], [0, 0, 0]],
        [[0, 0, 0], [0, 1, 0]],
        [[0, 0, 0], [1, 1, 1]],
    ]


def test_scores_are_micro_averages_over_all_rows():
    truth = np.array([[2, 2, 2], [1, 1, 1], [1, 1, 1]])
    counts = np.array([[1, 3, 2], [0, 0, 1], [1, 1, 1]])
    assert precision(truth, counts) == pytest.approx(2 / 4)
    assert recall(truth, counts) == pytest.approx(2 / 4)
    assert f1(truth[:2], counts[:2]) == pytest.approx(2 * 1 / (3 + 3))
    assert f1(truth, truth) == 1.0


def test_nothing_to_find_and_nothing_found_scores_zero_as_in_seqeval():
    nothing = np.zeros((3, 3), dtype=int)
    assert (precision(nothing, nothing), recall(nothing, nothing), f1(nothing, nothing)) == (0.0, 0.0, 0.0)


def canonical(tags):
    return tags_of(entities_of(tags), words=len(tags), scheme="BIO")


SENTENCE = some.lists(some.sampled_from(NAMES), min_size=1, max_size=9).map(canonical)


@given(some.lists(SENTENCE, min_size=1, max_size=4), some.randoms(use_true_random=False))
def test_counts_are_those_of_sets_of_entities(sentences, random):
    told = [canonical([tag if random.random() < 0.7 else random.choice(NAMES) for tag in tags]) for tags in sentences]
    one, other = (spans(numbers(*map(" ".join, given))) for given in (sentences, told))
    counts = span_counts(one, other, types=2).sum(axis=0)
    truth, predicted = (
        {(row, *entity) for row, tags in enumerate(given) for entity in entities_of(tags)}
        for given in (sentences, told)
    )
    for number, kind in enumerate(TYPES):
        sets = [{entity for entity in found if entity[1] == kind} for found in (truth & predicted, predicted, truth)]
        assert counts[number].tolist() == [len(found) for found in sets]
