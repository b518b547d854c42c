"""Masking: the right share, whole words, the three ways of hiding, and nothing that is no word."""

import numpy as np
import pytest

from heads.masking import NOT_ASKED, Vocabulary, chosen_places, hidden_patches, mask_tokens, spans

VOCABULARY = Vocabulary(size=50, mask=4, special=(0, 1, 2, 3, 4))


def rows(batch=200, width=40, *, seed=0):
    """[CLS] words [SEP] [PAD]...; words of two tokens each."""
    ids = np.random.default_rng(seed).integers(5, 50, (batch, width))
    ids[:, 0], ids[:, -4], ids[:, -3:] = 2, 3, 0
    words = np.tile((np.arange(width) - 1) // 2, (batch, 1))
    words[:, 0] = words[:, -4:] = -1
    return ids, words


def masked(unit="token", *, share=0.15, seed=1, **changed):
    ids, words = rows()
    given = {"words": words, "vocabulary": VOCABULARY, "share": share, "unit": unit, **changed}
    return ids, words, mask_tokens(ids, random=np.random.default_rng(seed), **given)


@pytest.mark.parametrize("unit", ["token", "word", "span"])
def test_the_share_of_each_row_is_reached_and_not_passed_by_more_than_a_group(unit):
    _, words, found = masked(unit)
    hidden = (found.wanted != NOT_ASKED).sum(axis=1)
    budget = round(0.15 * (words[0] >= 0).sum())
    assert hidden.min() >= budget
    assert hidden.max() <= budget + {"token": 0, "word": 1, "span": 7}[unit]


def test_what_is_wanted_is_what_stood_there():
    ids, _, found = masked()
    asked = found.wanted != NOT_ASKED
    assert (found.wanted[asked] == ids[asked]).all()
    assert (found.input_ids[~asked] == ids[~asked]).all()


def test_eight_of_ten_are_masked_one_is_another_one_stays():
    ids, _, found = masked(share=0.5)
    asked = found.wanted != NOT_ASKED
    shown = found.input_ids[asked]
    assert np.mean(shown == VOCABULARY.mask) == pytest.approx(0.8, abs=0.02)
    # One in 45 of the swapped ones is by chance the same.
    assert np.mean(shown == ids[asked]) == pytest.approx(0.1 + 0.1 / 45, abs=0.02)


@pytest.mark.parametrize("unit", ["token", "word", "span"])
def test_special_tokens_and_padding_are_never_hidden_nor_put_in(unit):
    ids, words, found = masked(unit, share=0.9)
    assert (found.wanted[words < 0] == NOT_ASKED).all()
    changed = found.input_ids != ids
    assert not np.isin(found.input_ids[changed], [0, 1, 2, 3]).any()


def test_an_unknown_token_inside_a_word_is_not_asked_for():
    ids, words = rows()
    ids[:, 5] = 1
    found = mask_tokens(
        ids, words=words, vocabulary=VOCABULARY, share=1.0, unit="word", random=np.random.default_rng(0)
    )
    assert (found.wanted[:, 5] == NOT_ASKED).all()
    assert (found.wanted[:, 6] != NOT_ASKED).all()


@pytest.mark.parametrize("unit", ["word", "span"])
def test_words_are_hidden_whole(unit):
    _, words, found = masked(unit)
    asked = found.wanted != NOT_ASKED
    for row, line in zip(words, asked, strict=True):
        assert all(line[row == word].all() or not line[row == word].any() for word in range(18))


def test_spans_are_of_one_to_four_neighbours():
    cut = spans((500, 30), random=np.random.default_rng(0))
    lengths = np.concatenate([np.bincount(row)[:-1] for row in cut])
    assert np.bincount(lengths, minlength=5)[1:] / len(lengths) == pytest.approx([0.4, 0.3, 0.2, 0.1], abs=0.02)
    assert (np.diff(cut, axis=1) >= 0).all()
    assert (cut[:, 0] == 0).all()


def test_every_word_has_the_same_chance():
    groups = np.tile(np.arange(10), (20_000, 1))
    chosen = chosen_places(groups, share=0.3, random=np.random.default_rng(0))
    assert chosen.mean(axis=0) == pytest.approx([0.3] * 10, abs=0.015)


def test_at_least_one_is_hidden_even_in_a_short_text_and_none_where_there_is_no_word():
    groups = np.array([[-1, 0, -1, -1], [-1, -1, -1, -1]])
    chosen = chosen_places(groups, share=0.15, random=np.random.default_rng(0))
    assert chosen.tolist() == [[False, True, False, False], [False] * 4]


def test_the_same_seed_hides_the_same():
    assert (masked("span", seed=5)[2].input_ids == masked("span", seed=5)[2].input_ids).all()
    assert (masked("span", seed=5)[2].input_ids != masked("span", seed=6)[2].input_ids).any()


def test_a_batch_without_a_token_stays_empty():
    found = mask_tokens(
        np.zeros((2, 0), np.int64),
        words=np.zeros((2, 0), np.int64),
        vocabulary=VOCABULARY,
        share=0.15,
        unit="span",
        random=np.random.default_rng(0),
    )
    assert found.input_ids.shape == (2, 0)


def test_as_many_whole_patches_are_hidden_in_each_picture():
    hidden = hidden_patches(batch=50, size=12, patch=4, share=0.6, random=np.random.default_rng(0))
    blocks = hidden.reshape(50, 3, 4, 3, 4)
    assert (blocks.all(axis=(2, 4)) == blocks.any(axis=(2, 4))).all()
    assert (hidden.sum(axis=(1, 2)) == 5 * 16).all()
    assert len({picture.tobytes() for picture in hidden}) > 20


def test_a_patch_at_the_edge_is_cut_off():
    hidden = hidden_patches(batch=3, size=10, patch=4, share=1.0, random=np.random.default_rng(0))
    assert hidden.shape == (3, 10, 10)
    assert hidden.all()
    assert hidden_patches(batch=1, size=10, patch=4, share=0.0, random=np.random.default_rng(1)).sum() >= 4
