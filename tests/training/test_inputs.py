"""Live sources and augmentation."""

import numpy as np
import pytest

from modalities.preparation.numbers import NumberPreparation
from modalities.preparation.pictures import PicturePreparation
from tests.support.tiny_models import noise, png
from training import inputs
from training.inputs import ModalityInput, PictureSource, augmented, live_source, row_costs

PREPARE = PicturePreparation(column="p", size=16, mean=(0.0,) * 3, deviation=(1.0,) * 3)
VALUES = [png(noise(seed=row)) if row != 1 else None for row in range(4)]


def test_pictures_in_memory_and_from_their_files_are_the_same(monkeypatch):
    kept = PictureSource(preparation=PREPARE, values=VALUES)
    monkeypatch.setattr(inputs, "PICTURES_IN_MEMORY_BYTES", 0)
    read = PictureSource(preparation=PREPARE, values=VALUES)
    for rows in ([0, 2, 3], [3, 0]):
        one, other = (source.arrays(np.array(rows), random=None)["pixels"] for source in (kept, read))
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, PREPARE([VALUES[row] for row in rows])["pixels"])


@pytest.mark.parametrize("kind", ["flip", "crop_flip"])
def test_augmentation_is_the_same_under_a_seed_and_leaves_the_originals(kind):
    pictures = PREPARE.decode([value for value in VALUES if value])
    before = pictures.copy()
    one, other = (augmented(pictures, kind=kind, random=np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(pictures, before)
    assert not np.array_equal(one, before)


def test_a_flip_mirrors_half_of_the_pictures():
    pictures = np.zeros((1000, 2, 2, 3), np.uint8)
    pictures[:, :, 0] = 200
    flipped = augmented(pictures, kind="flip", random=np.random.default_rng(0))[:, 0, 1, 0] == 200
    assert 0.45 < flipped.mean() < 0.55


def test_a_shift_is_an_eighth_at_most():
    pictures = np.zeros((200, 16, 16, 3), np.uint8)
    pictures[:, 8, 8] = 255
    moved = augmented(pictures, kind="crop_flip", random=np.random.default_rng(0))
    places = np.argwhere(moved[..., 0] == 255)
    assert len(places) == 200
    assert (places[:, 1].min(), places[:, 1].max()) == (6, 10)
    assert (places[:, 2].min(), places[:, 2].max()) == (5, 10)


def test_none_changes_nothing():
    pictures = PREPARE.decode([VALUES[0]])
    assert augmented(pictures, kind="none", random=np.random.default_rng(0)) is pictures


def test_a_modality_without_an_encoder_has_no_live_source():
    with pytest.raises(TypeError, match="a modality of kind 'number' has no encoder to train"):
        live_source(preparation=NumberPreparation(columns=("a",), mean=(0.0,), deviation=(1.0,)), values=[])


def test_pictures_and_finished_vectors_cost_the_same():
    given = {
        "image": ModalityInput(np.ones(4, bool), source=PictureSource(preparation=PREPARE, values=VALUES)),
        "number": ModalityInput(np.ones(4, bool), vectors=np.zeros((4, 2), np.float32)),
    }
    assert row_costs(given) is None


def test_texts_are_augmented_in_training_alone_and_by_their_generator(tmp_path):
    from modalities.preparation.text import TextPreparation
    from modalities.text_models import load_tokenizer
    from tests.support.tiny_models import WORDS, write_bert
    from training.inputs import TextSource

    tokenizer, padding = load_tokenizer(model="bert", weights=str(write_bert(tmp_path / "bert")))
    prepare = TextPreparation(tokenizer=tokenizer, columns=("t",), max_tokens=30, padding_id=padding)
    texts = [" ".join(WORDS[5:10] * 4), None, " ".join(WORDS[:4] * 4)]
    source = TextSource(preparation=prepare, values=texts, augmentation="delete_swap")
    rows = np.array([0, 2])
    plain = source.arrays(rows, random=None)["input_ids"]
    first, again, other = (source.arrays(rows, random=np.random.default_rng(seed))["input_ids"] for seed in (1, 1, 2))
    assert (plain == TextSource(preparation=prepare, values=texts).arrays(rows, random=None)["input_ids"]).all()
    assert (first == again).all()
    assert first.shape != plain.shape or (first != plain).any()
    assert first.shape != other.shape or (first != other).any()
