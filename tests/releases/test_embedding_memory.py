"""Embeddings are remembered only where company changes no bit, and then nobody can tell."""

import numpy as np
import pytest

from releases.embedding_memory import TEXTS, EmbeddingMemory, is_company_blind


class Encoder:
    """Sums of characters; `leaks` lets a batch's size into the last bits, as some libraries do."""

    def __init__(self, *, leaks=False):
        self.leaks, self.asked = leaks, []

    def __call__(self, values):
        self.asked.append(list(values))
        sums = np.array([[float(len(value)), float(sum(map(ord, value)))] for value in values], np.float32)
        return sums * np.float32(1 + (1e-6 * len(values) if self.leaks else 0))


def test_what_was_seen_is_not_computed_again_and_is_the_same():
    encoder, memory = Encoder(), EmbeddingMemory(kept=10)
    first = memory.embed("text", ["parcel", "lamp", "parcel"], encoder)
    encoder.asked.clear()
    again = memory.embed("text", ["lamp", "mug", "parcel"], encoder)
    assert encoder.asked == [["mug"]]
    assert np.array_equal(again, Encoder()(["lamp", "mug", "parcel"]))
    assert np.array_equal(first, Encoder()(["parcel", "lamp", "parcel"]))
    encoder.asked.clear()
    memory.embed("text", ["mug"], encoder)
    assert encoder.asked == []


def test_an_encoder_whose_bits_depend_on_company_is_never_remembered():
    encoder, memory = Encoder(leaks=True), EmbeddingMemory(kept=10)
    assert not is_company_blind(encoder)
    memory.embed("text", ["parcel"], encoder)
    encoder.asked.clear()
    memory.embed("text", ["parcel", "lamp"], encoder)
    assert encoder.asked == [["parcel", "lamp"]]


def test_the_oldest_goes_and_each_encoder_has_its_own():
    encoder, memory = Encoder(), EmbeddingMemory(kept=2)
    for text in ("a1", "a2", "a1", "a3"):
        memory.embed("text", [text], encoder)
    encoder.asked.clear()
    memory.embed("text", ["a1"], encoder)
    assert encoder.asked == []
    memory.embed("text", ["a2"], encoder)
    memory.embed("other", ["a1"], encoder)
    assert [asked for asked in encoder.asked if asked[0] not in TEXTS] == [["a2"], ["a1"]]


def test_long_texts_and_what_is_no_text_are_computed_each_time():
    encoder, memory = Encoder(), EmbeddingMemory(kept=2)
    memory.embed("text", ["x" * 5_000], encoder)
    encoder.asked.clear()
    memory.embed("text", ["x" * 5_000], encoder)
    assert len(encoder.asked) == 1
    pictures = [b"one", b"two"]
    seen = []
    memory.embed("image", pictures, lambda values: seen.append(list(values)) or np.zeros((2, 3), np.float32))
    assert seen == [pictures]


@pytest.mark.parametrize("leaks", [True, False])
def test_an_encoder_is_asked_for_its_habits_once(leaks):
    encoder, memory = Encoder(leaks=leaks), EmbeddingMemory(kept=2)
    for _ in range(3):
        memory.embed("text", ["parcel"], encoder)
    assert sum(list(TEXTS) == asked for asked in encoder.asked) == 1
