"""A fit that is killed goes on to exactly the result of one that is not."""

import random

import pytest
import torch

from tests.support.forked_calls import killed
from tests.support.small_fits import KINDS, announced
from training.checkpoint import checkpoints


@pytest.fixture(autouse=True)
def one_thread():
    """The child's number of threads: sums in another order are other sums."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def course(result):
    return [(epoch.epoch, epoch.train_loss, epoch.validation_loss, epoch.metric) for epoch in result.history]


def assert_same(fit, result, calm, expected):
    assert course(result) == course(expected)
    assert (result.best_epoch, result.best_metric) == (expected.best_epoch, expected.best_metric)
    for name, tensor in calm.model.state_dict().items():
        assert torch.equal(fit.model.state_dict()[name], tensor), name
    for name, tensor in calm.optimizer.state_dict()["state"].items():
        for key, value in tensor.items():
            assert torch.equal(fit.optimizer.state_dict()["state"][name][key], value), (name, key)


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_killed_fit_ends_like_an_undisturbed_one(kind, tmp_path):
    calm = KINDS[kind](tmp_path / "calm")
    expected = calm.run()
    step = random.SystemRandom().randrange(2, 16)
    killed(announced, kind, tmp_path / "killed", after=step + 1)
    again = KINDS[kind](tmp_path / "killed", checkpoint_seconds=0)
    result = again.run()
    assert result.resumed_at_step > 0, step
    assert_same(again, result, calm, expected)


@pytest.mark.parametrize("kind", list(KINDS))
def test_from_every_step_a_fit_goes_on_alike(kind, tmp_path):
    calm = KINDS[kind](tmp_path / "calm", epochs=2)
    expected = calm.run()
    for stop in range(1, calm.position.step):
        fit = KINDS[kind](tmp_path / str(stop), epochs=2, checkpoint_seconds=0)
        stopped_at(fit, stop)
        torch.manual_seed(99)
        again = KINDS[kind](tmp_path / str(stop), epochs=2)
        result = again.run()
        assert result.resumed_at_step == stop
        assert_same(again, result, calm, expected)


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


def test_a_finished_fit_is_not_fitted_again(tmp_path):
    first = KINDS["frozen"](tmp_path, checkpoint_seconds=0)
    expected = first.run()
    again = KINDS["frozen"](tmp_path, checkpoint_seconds=0)
    result = again.run()
    assert result.resumed_at_step == first.position.step == again.position.step
    assert result.history == expected.history
    assert_same(again, result, first, expected)


def test_only_the_last_checkpoints_are_kept(tmp_path):
    KINDS["frozen"](tmp_path, checkpoint_seconds=0).run()
    assert len(checkpoints(tmp_path)) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path in checkpoints(tmp_path)]
