"""Other wordings: kept, drawn in training, the same whatever stands beside a text."""

import numpy as np
import pytest

from training.changed_words import ChangedWords
from training.inputs import ModalityInput, TextSource
from training.wordings import WordingCache, by_copy, wordings_of

TEXTS = ["one two three four five six", "我的卡丢了怎么办呢", "a", "one two three four five six"]


class Counting:
    """A rewriter that notes what it was asked for."""

    copies = 2

    def __init__(self):
        self.asked = []

    def __call__(self, texts):
        self.asked += texts
        return [(f"{text}!", f"{text}?") for text in texts]


def hashes(texts):
    return [f"hash of {text}" for text in texts]


def test_each_text_is_written_once_ever(tmp_path):
    rewriter, cache = Counting(), WordingCache(tmp_path / "cache")
    found = wordings_of(TEXTS, hashes(TEXTS), rewriter=lambda: rewriter, cache=cache)
    assert found == [(f"{text}!", f"{text}?") for text in TEXTS]
    assert sorted(rewriter.asked) == sorted(set(TEXTS))
    more = [*TEXTS, "new"]
    assert wordings_of(more, hashes(more), rewriter=lambda: rewriter, cache=cache)[-1] == ("new!", "new?")
    assert rewriter.asked.count("new") == 1
    assert len(rewriter.asked) == len(set(more))


def test_what_is_known_needs_no_rewriter(tmp_path):
    cache = WordingCache(tmp_path)
    cache.add({"hash of a": ("甲", "b")})

    def never():
        raise AssertionError

    assert wordings_of(["a"], ["hash of a"], rewriter=never, cache=cache) == [("甲", "b")]


def test_copies_of_rows_without_wordings_are_the_rows_themselves():
    assert by_copy([("a1", "a2"), None, None], ["a", "b", None]) == [["a1", "b", None], ["a2", "b", None]]
    assert by_copy([None], ["a"]) == []


@pytest.mark.parametrize("kind", ["delete", "swap", "delete_swap"])
def test_changed_words_follow_from_the_text_and_the_seed(kind):
    write = ChangedWords(kind=kind, copies=3, seed=7)
    together = write(TEXTS)
    assert together == [found for text in TEXTS for found in write([text])]
    assert all(len(found) == 3 for found in together)
    assert together[2] == ("a", "a", "a")
    assert set(together[0]) != {TEXTS[0]}
    assert sorted(set(together[1][0])) <= sorted(set(TEXTS[1]))
    assert ChangedWords(kind=kind, copies=3, seed=8)(TEXTS) != together


def test_vectors_of_wordings_are_drawn_in_training_alone():
    vectors = np.zeros((50, 2), np.float32)
    variants = np.stack([np.full((50, 2), number, np.float32) for number in (1, 2, 3)])
    given = ModalityInput(present=np.ones(50, bool), vectors=vectors, variants=variants)
    rows = np.arange(20, 50)
    assert (given.drawn_vectors(rows, random=None) == 0).all()
    drawn = np.concatenate([given.drawn_vectors(rows, random=np.random.default_rng(seed)) for seed in range(40)])
    assert (drawn[:, 0] == drawn[:, 1]).all()
    shares = np.bincount(drawn[:, 0].astype(int), minlength=4) / len(drawn)
    np.testing.assert_allclose(shares, 0.25, atol=0.05)
    again = given.drawn_vectors(rows, random=np.random.default_rng(0))
    np.testing.assert_array_equal(again, drawn[: len(rows)])


def test_a_source_draws_among_a_text_and_its_wordings():
    class Noting:
        """A preparation that gives the texts back."""

        def __call__(self, values):
            return {"texts": np.array(values)}

    values, variants = ["a", "b"], [["a1", "b1"], ["a2", "b2"]]
    source = TextSource(preparation=Noting(), values=values, variants=variants)
    rows = np.array([1, 0])
    assert source.arrays(rows, random=None)["texts"].tolist() == ["b", "a"]
    seen = {tuple(source.arrays(rows, random=np.random.default_rng(seed))["texts"].tolist()) for seed in range(100)}
    assert seen == {(b, a) for b in ("b", "b1", "b2") for a in ("a", "a1", "a2")}
