"""The best spans against a naive search."""

import itertools

import numpy as np
import pytest

from heads.span_candidates import candidates, largest

NONE, OTHER = (-1, -1), (0, 0)


def row(start, end, spans, *, longest=30):
    arrays = {"start": np.array([start], np.float32), "end": np.array([end], np.float32)}
    return candidates({**arrays, "characters": np.array([spans])}, max_answer_tokens=longest)[0]


def naive(start, end, spans, longest):
    """Every pair of context tokens with none between that is not the context's."""
    found = []
    for first, last in itertools.combinations_with_replacement(range(len(spans)), 2):
        between = spans[first : last + 1]
        if len(between) <= longest and all(after > before for before, after in between):
            found.append((start[first] + end[last], spans[first][0], spans[last][1]))
    return sorted(found, key=lambda each: -each[0])


def test_by_hand():
    found = row([0.5, 9, 1, 2, 9], [0.25, 9, 3, 1, 9], [NONE, OTHER, (0, 3), (4, 7), OTHER])
    assert found.none == 0.75
    # "one" 1 + 3, "two" 2 + 1, "one two" 1 + 1; never "two one" 2 + 3.
    assert found.scores.tolist() == [4, 3, 2]
    assert list(zip(found.starts, found.ends, strict=True)) == [(0, 3), (4, 7), (0, 7)]


@pytest.mark.parametrize("longest", [1, 2, 3, 30])
def test_against_a_naive_search_over_two_windows(longest):
    random = np.random.default_rng(0)
    words = [(4 * number, 4 * number + 3) for number in range(8)]
    spans = [NONE, OTHER, *words[:5], OTHER, NONE, OTHER, *words[3:], OTHER, OTHER]
    start, end = (random.normal(size=len(spans)).round(3).astype(np.float32).astype(float) for _ in range(2))
    found = row(start, end, spans, longest=longest)
    expected = naive(start, end, spans, longest)
    np.testing.assert_allclose(found.scores, [score for score, _, _ in expected])
    assert list(zip(found.starts, found.ends, strict=True)) == [tuple(rest) for _, *rest in expected]
    assert found.none == max(start[0] + end[0], start[8] + end[8])


def test_a_padded_row_is_the_row():
    spans = [NONE, OTHER, (0, 3), (4, 7), OTHER]
    plain = row([0.5, 9, 1, 2, 9], [0.25, 9, 3, 1, 9], spans)
    padded = row([0.5, 9, 1, 2, 9, 0, 0], [0.25, 9, 3, 1, 9, 0, 0], [*spans, OTHER, OTHER])
    for one, other in zip(plain, padded, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_context_without_a_token_has_no_span():
    found = row([0.5, 1, 1], [0.25, 1, 1], [NONE, OTHER, OTHER])
    assert len(found.scores) == 0
    assert found.none == 0.75


def test_largest_takes_equal_ones_in_order():
    assert largest(np.array([1.0, 3.0, 2.0, 3.0, 2.0]), 3).tolist() == [1, 3, 2]
    assert largest(np.array([1.0, 3.0]), 2).tolist() == [1, 0]
    assert largest(np.array([1.0]), 0).tolist() == []
