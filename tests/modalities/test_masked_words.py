"""Words filled in anew by a masked language model."""

import numpy as np
import pytest
import torch

from modalities.masked_words import load_masked_words, written_words
from modalities.preparation.word_split import split_words
from polyloom.errors import WeightsError
from tests.support.tiny_models import write_bert
from tests.support.tiny_writers import write_masked_bert

ENGLISH, CHINESE = "the red card, my blue hat?", "退款吗，退款 42"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_masked_bert(tmp_path_factory.mktemp("masked") / "bert")


def written(folder, **changed):
    settings = {"copies": 3, "share": 0.3, "seed": 7, **changed}
    return load_masked_words(model="bert", weights=str(folder), **settings)


def test_words_become_words_characters_characters_and_marks_and_numbers_stay(folder):
    write = written(folder)
    for text, known in ((ENGLISH, {"red", "blue", "shoe", "hat", "the", "card", "lost", "my"}), (CHINESE, {*"退款吗"})):
        (found,) = write([text])
        assert len(found) == 3
        before = split_words(text)
        for wording in found:
            after = split_words(wording)
            assert len(after) == len(before)
            changed = [
                (one.text, other.text) for one, other in zip(before, after, strict=True) if one.text != other.text
            ]
            wanted = round(0.3 * sum(word.text.isalpha() for word in before))
            assert len(changed) == wanted
            assert all(one.isalpha() and other in known for one, other in changed)


def test_a_texts_wordings_do_not_depend_on_its_neighbours_but_on_the_seed(folder):
    write = written(folder)
    (alone,), (_, beside, _) = write([ENGLISH]), write([CHINESE, ENGLISH, "a"])
    assert alone == beside
    assert written(folder, seed=8)([ENGLISH]) != [alone]


def test_a_text_without_words_stays(folder):
    assert written(folder)(["42, 17?"]) == [("42, 17?",) * 3]


def test_the_most_probable_words_are_drawn_most(folder):
    """Of a model that wants one word everywhere, it is drawn everywhere."""
    write = written(folder, copies=8)
    number = next(number for number, text in written_words(write._tokenizer)["word"].items() if text == "shoe")
    with torch.no_grad():
        write._model.cls.predictions.bias[number] += 50.0
    (found,) = write(["the card, my hat"])
    words = np.array([[word.text for word in split_words(wording)] for wording in found])
    changed = words[words != np.array(["the", "card", ",", "my", "hat"])]
    assert set(changed) == {"shoe"}


def test_a_text_longer_than_the_model_reads_is_changed_where_it_is_read(folder):
    write = written(folder, share=1.0, copies=1)
    write._max_tokens = 6
    ((wording,),) = write(["red card " * 10])
    words = [word.text for word in split_words(wording)]
    assert all(one != other for one, other in zip(words[:4], ["red", "card"] * 2, strict=True))
    assert words[4:] == ["red", "card"] * 8


def test_an_encoder_without_a_head_fills_nothing_in(tmp_path):
    with pytest.raises(WeightsError, match="Without its head a model fills in nothing: name a masked language model"):
        written(write_bert(tmp_path / "plain"))


def test_a_tokenizer_without_a_mask_is_refused(tmp_path):
    folder = write_masked_bert(tmp_path / "bert")
    from tests.support.tiny_models import write_tokenizer

    write_tokenizer(folder)
    with pytest.raises(WeightsError, match="has no mask token"):
        written(folder)


def test_a_folder_without_weights_is_no_model(tmp_path):
    folder = write_masked_bert(tmp_path / "bert")
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="is no masked language model"):
        written(folder)
