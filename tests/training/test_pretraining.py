"""Pretraining: the loss falls below what can be had without looking, and a killed one goes on to the same result."""

import math
import random

import numpy as np
import pytest
import torch

from polyloom.errors import DataError, RequestError
from tests.support.forked_calls import killed
from tests.support.small_pretrainings import KINDS, announced, picture, text
from tests.support.tiny_models import write_bert


@pytest.fixture(autouse=True)
def one_thread():
    """The child's number of threads: sums in another order are other sums."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("unit", ["token", "word", "span"])
def test_hidden_words_are_learned(unit, tmp_path):
    result = text(tmp_path / "c", epochs=30, unit=unit, learning_rate=0.005).run()
    # A model that knows which words there are, and nothing of what stands beside them.
    assert result.losses[0] > 2.0
    assert result.held_out_losses[-1] < math.log(8)


@pytest.mark.parametrize("task", ["masked", "denoising"])
@pytest.mark.parametrize("model", ["test_resnet", "test_vit"])
def test_pictures_are_painted_again(model, task, tmp_path):
    result = picture(tmp_path / "c", epochs=12, task=task, model=model).run()
    assert result.losses[-1] < 0.75 * result.losses[0]
    assert result.held_out_losses[-1] < result.held_out_losses[0]


def test_the_held_out_rows_are_looked_at_behind_the_same_masks_and_not_learned_from(tmp_path):
    task = text(tmp_path / "c")
    before = {name: tensor.clone() for name, tensor in task.module.state_dict().items()}
    assert task._held_out_loss() == task._held_out_loss()
    assert all(torch.equal(tensor, before[name]) for name, tensor in task.module.state_dict().items())


def test_without_held_out_rows_there_is_no_figure(tmp_path):
    result = text(tmp_path / "c", epochs=1, held_out=np.arange(0)).run()
    assert math.isnan(result.held_out_losses[0])


def test_the_encoder_itself_is_what_was_trained(tmp_path):
    task = text(tmp_path / "c", epochs=1)
    before = {name: tensor.clone() for name, tensor in task.objective.encoder.state_dict().items()}
    task.run()
    changed = [
        name for name, tensor in task.objective.encoder.state_dict().items() if not torch.equal(tensor, before[name])
    ]
    assert any("word_embeddings" in name for name in changed)
    assert not any(name.startswith("head") for name in before)


def test_a_loss_that_is_no_number_says_what_to_do(tmp_path):
    task = text(tmp_path / "c")
    torch.nn.init.constant_(task.objective.encoder.token_embedding(), float("nan"))
    with pytest.raises(DataError, match="the loss of pretrain is nan at epoch 1, step 0: lower its learning_rate"):
        task.run()


def test_a_vocabulary_without_a_mask_is_refused(tmp_path, monkeypatch):
    from modalities.preparation.text import TextPreparation

    monkeypatch.setattr(TextPreparation, "mask_id", None)
    with pytest.raises(RequestError, match=r"has no \[MASK\] or <mask> token"):
        text(tmp_path / "c")


@pytest.mark.parametrize("kind", list(KINDS))
def test_from_every_step_it_goes_on_alike(kind, tmp_path):
    calm = KINDS[kind](tmp_path / "calm", epochs=2)
    expected = calm.run()
    for stop in range(1, calm.place.step, 3):
        stopped_at(KINDS[kind](tmp_path / str(stop), epochs=2, checkpoint_seconds=0), stop)
        torch.manual_seed(99)
        again = KINDS[kind](tmp_path / str(stop), epochs=2)
        result = again.run()
        assert result.resumed_at_step == stop
        assert_same(again, result, calm, expected)


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_killed_one_ends_like_an_undisturbed_one(kind, tmp_path):
    calm = KINDS[kind](tmp_path / "calm")
    expected = calm.run()
    # The first steps may be told of before the first checkpoint is whole.
    killed(announced, kind, tmp_path / "killed", after=random.SystemRandom().randrange(4, 16))
    again = KINDS[kind](tmp_path / "killed", checkpoint_seconds=0)
    result = again.run()
    assert result.resumed_at_step > 0
    assert_same(again, result, calm, expected)


def stopped_at(task, step):
    """Run until the checkpoint of that step is written."""

    class StoppedError(Exception):
        pass

    write = task._checkpoint

    def write_and_stop():
        write()
        if task.place.step == step:
            raise StoppedError

    task._checkpoint = write_and_stop
    with pytest.raises(StoppedError):
        task.run()


def assert_same(task, result, calm, expected):
    assert (result.losses, result.held_out_losses) == (expected.losses, expected.held_out_losses)
    for name, tensor in calm.module.state_dict().items():
        assert torch.equal(task.module.state_dict()[name], tensor), name


def test_the_tokenizer_says_what_masking_must_know(tmp_path):
    from modalities.preparation.text import TextPreparation
    from modalities.text_models import load_tokenizer

    tokenizer, padding = load_tokenizer(model=str(write_bert(tmp_path)), weights="scratch")
    prepare = TextPreparation(tokenizer=tokenizer, columns=["t"], max_tokens=16, padding_id=padding)
    assert (prepare.vocabulary_size, prepare.mask_id, prepare.special_ids) == (21, 4, (0, 1, 2, 3, 4))
    (ids, words), _ = prepare.pieces(["red shoes 退款", ""])
    # [CLS] red shoe ##s 退 款 [SEP]
    assert len(ids) == 7
    assert words.tolist() == [-1, 0, 1, 1, 2, 3, -1]
