"""Vectors of the last questions are made once."""

import numpy as np

from releases.query_vectors import QueryVectors


def test_the_same_question_is_embedded_once_a_field():
    kept, made = QueryVectors(kept=2), []

    def ask(field, value):
        return kept.of(field, value, lambda: made.append((field, value)) or np.full((1, 2), len(made)))

    assert ask("text", "hat")[0, 0] == ask("text", "hat")[0, 0] == 1
    ask("chars", "hat")
    assert made == [("text", "hat"), ("chars", "hat")]
    ask("text", "hat")
    ask("text", b"picture")
    # The oldest went, which was not the one that was asked again.
    ask("text", "hat")
    assert made == [("text", "hat"), ("chars", "hat"), ("text", b"picture")]


def test_what_has_no_hash_is_made_each_time():
    kept = QueryVectors()
    assert [kept.of("price", [1.0], lambda: np.ones((1, 1))).shape for _ in range(2)] == [(1, 1)] * 2
