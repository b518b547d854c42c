"""Fits whose inputs are attacked: plain at epsilon 0, hardened at more, the same however they are cut or killed."""

import numpy as np
import pytest
import torch

from tests.support.attacked_fits import PICTURES, TEXT, announced, picture_fit, text_fit
from tests.support.forked_calls import killed
from tests.support.strategy_fits import write_model
from training.attack import Attack
from training.device import place


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("bert"), "bert")


def fit_of(kind, name, bert, folder, **changed):
    if kind == "text":
        return text_fit(bert, folder, TEXT.get(name), **changed)
    return picture_fit(folder, PICTURES.get(name), **changed)


def weights(fit):
    return fit.model.state_dict()


def one_step(fit, *, dropout=True):
    """The first step of a fit; gives the weights after it."""
    fit.model.train(dropout)
    fit.step(fit.epoch_groups(0)[0], total=9)
    return weights(fit)


EVERY = [("text", name) for name in TEXT] + [("pictures", name) for name in PICTURES]


@pytest.mark.parametrize("name", list(TEXT))
def test_with_epsilon_0_it_is_plain_training(name, bert, tmp_path):
    plain = text_fit(bert, tmp_path / "plain", None, epochs=1)
    expected = plain.run()
    still = text_fit(bert, tmp_path / "still", Attack(kind=name, epsilon=0.0, steps=2), epochs=1)
    got = still.run()
    assert got.history[0].train_loss == pytest.approx(expected.history[0].train_loss, rel=1e-5)
    assert_close(weights(still), weights(plain))


@pytest.mark.parametrize("weight", [0.5, 1.0])
@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_an_attack_changes_what_is_learned_and_the_loss_is_higher(kind, name, weight, bert, tmp_path):
    plain, attacked = fit_of(kind, None, bert, tmp_path / "1"), fit_of(kind, name, bert, tmp_path / "2", weight=weight)
    before, after = one_step(plain), one_step(attacked)
    assert any(not torch.equal(before[key], tensor) for key, tensor in after.items())
    assert attacked.position.loss_sum > plain.position.loss_sum
    assert all(tensor.grad is None for tensor in attacked.model.parameters())


def test_running_statistics_follow_what_is_learned_from_not_the_search(tmp_path):
    counts = {}
    for name, attack in (("plain", None), ("three", Attack(kind="pgd", epsilon=0.03, steps=3))):
        fit = picture_fit(tmp_path / name, attack, accumulate=1)
        counts[name] = int(one_step(fit)["encoders.of_image.layers.1.num_batches_tracked"])
    assert counts == {"plain": 1, "three": 2}


def test_the_gradient_is_the_same_however_memory_cuts_the_batch(bert, tmp_path):
    whole = text_fit(bert, tmp_path / "whole", TEXT["fgm"])
    cut = text_fit(bert, tmp_path / "cut", TEXT["fgm"])
    cut.stepping.cut = 3
    assert_close(one_step(cut, dropout=False), one_step(whole, dropout=False))


@pytest.mark.parametrize(("kind", "name"), [("text", "freelb"), ("pictures", "pgd")])
def test_memory_that_runs_out_during_an_attack_cuts_the_batch(kind, name, bert, tmp_path, monkeypatch):
    fit = fit_of(kind, name, bert, tmp_path)
    answer, limit = type(fit.adversary.place).answer, 3

    def small(self, model, batch, shift):
        if len(batch.rows) > limit:
            raise MemoryError("Unable to allocate 3.2 GiB for an array")
        return answer(self, model, batch, shift)

    monkeypatch.setattr(type(fit.adversary.place), "answer", small)
    one_step(fit)
    assert fit.stepping.cut > 1
    assert np.isfinite(fit.position.loss_sum)


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_half_precision(kind, name, bert, tmp_path):
    result = fit_of(kind, name, bert, tmp_path, placement=place("bf16"), epochs=1).run()
    assert np.isfinite(result.history[0].train_loss)


@pytest.mark.parametrize("strategy", ["last_blocks", "lora", "prompt", "prefix", "adapter", "bitfit"])
def test_every_strategy_of_a_text_encoder_can_be_attacked(strategy, bert, tmp_path):
    fit = text_fit(bert, tmp_path, TEXT["fgm"], strategy=strategy)
    one_step(fit)
    plain = text_fit(bert, tmp_path / "plain", None, strategy=strategy)
    one_step(plain)
    assert fit.position.loss_sum > plain.position.loss_sum


def test_a_batch_that_lacks_the_modality_has_its_plain_loss(tmp_path):
    fits = [picture_fit(tmp_path / str(number), attack) for number, attack in enumerate((None, PICTURES["fgsm"]))]
    lacking = np.flatnonzero(~fits[0].inputs["image"].present)[:3]
    for fit in fits:
        fit.model.train()
        fit.step([lacking], total=9)
    assert fits[0].position.loss_sum == fits[1].position.loss_sum


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_from_the_middle_a_fit_goes_on_alike(kind, name, bert, tmp_path):
    calm = fit_of(kind, name, bert, tmp_path / "calm", epochs=2)
    expected = calm.run()
    stop = calm.position.step // 2 + 1
    stopped_at(fit_of(kind, name, bert, tmp_path / "stopped", epochs=2, checkpoint_seconds=0), stop)
    torch.manual_seed(99)
    again = fit_of(kind, name, bert, tmp_path / "stopped", epochs=2)
    result = again.run()
    assert result.resumed_at_step == stop
    assert_same(again, result, calm, expected)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), [("text", "freelb"), ("pictures", "pgd")])
def test_a_killed_fit_ends_like_an_undisturbed_one(kind, name, bert, tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    calm = fit_of(kind, name, bert, tmp_path / "calm")
    expected = calm.run()
    killed(announced, kind, name, bert, tmp_path / "killed", after=5)
    again = fit_of(kind, name, bert, tmp_path / "killed")
    result = again.run()
    torch.set_num_threads(threads)
    assert result.resumed_at_step > 0
    assert_same(again, result, calm, expected)


def assert_close(found, expected):
    for name, tensor in expected.items():
        # A softmax does not see what is added to all keys alike: this bias learns from rounding alone.
        if not name.endswith("key.bias"):
            torch.testing.assert_close(found[name], tensor, rtol=0, atol=2e-3, msg=name)


def stopped_at(fit, step):
    """Run a fit until its checkpoint of that step is written."""

    class StoppedError(Exception):
        pass

    write = fit._checkpoint

    def write_and_stop():
        write()
        if fit.position.step == step:
            raise StoppedError

    fit._checkpoint = write_and_stop
    with pytest.raises(StoppedError):
        fit.run()


def assert_same(fit, result, calm, expected):
    def course(given):
        return [(epoch.epoch, epoch.train_loss, epoch.validation_loss, epoch.metric) for epoch in given.history]

    assert course(result) == course(expected)
    for name, tensor in weights(calm).items():
        assert torch.equal(weights(fit)[name], tensor), name
