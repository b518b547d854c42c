"""Soups and interpolations, chosen by a metric that is known by hand."""

import pytest
import torch
from torch import nn

from training.combining import Judged
from training.interpolation import Interpolation, between
from training.soup import GreedySoup, mean_weights


class Number(nn.Module):
    """A model of one number, and one that counts."""

    def __init__(self, value):
        super().__init__()
        self.number = nn.Parameter(torch.tensor([value]))
        self.register_buffer("seen", torch.tensor(3))


def nearness(target):
    """A judge to whom the number is the better, the nearer it is to a target."""

    def judge(weights):
        distance = abs(weights["number"].item() - target)
        return Judged(weights=dict(weights), metric=-distance, loss=distance)

    return judge


def soup_of(values, *, target, folder):
    """The greedy soup of epochs that ended at these values."""
    soup, judge = GreedySoup(folder=folder), nearness(target)
    judged = []
    for epoch, value in enumerate(values):
        model = Number(value)
        soup.after_epoch(model, epoch, leads=True)
        judged.append(judge(model.state_dict()))
    best = max(judged, key=lambda one: one.metric)
    return soup.combined(best, [(one.metric, one.loss) for one in judged], judge)


def test_a_soup_takes_what_does_not_harm_and_leaves_what_does(tmp_path):
    """Target 4: best is 5, with 3 the mean is 4, and with 9 it would be away from it."""
    found = soup_of([9.0, 3.0, 5.0], target=4.0, folder=tmp_path)
    assert found.told == {"kind": "soup", "epochs": [2, 3]}
    assert found.judged.weights["number"].item() == pytest.approx(4.0)
    assert int(found.judged.weights["seen"]) == 3


def test_a_soup_of_one_is_the_best_epoch(tmp_path):
    found = soup_of([1.0, 4.0, 2.0], target=4.0, folder=tmp_path)
    assert found.told["epochs"] == [2]
    assert found.judged.metric == 0.0


def test_only_the_leading_process_writes_epochs(tmp_path):
    soup = GreedySoup(folder=tmp_path / "epochs")
    soup.after_epoch(Number(1.0), 0, leads=False)
    assert not (tmp_path / "epochs").exists()


def test_the_mean_of_halves_is_a_half():
    states = [{"a": torch.tensor([value], dtype=torch.float16)} for value in (1.0, 2.0)]
    assert mean_weights(states)["a"].dtype == torch.float16
    assert mean_weights(states)["a"].item() == 1.5


@pytest.mark.parametrize(("target", "share"), [(2.1, 0.25), (6.0, 0.75), (9.0, 1.0)])
def test_the_share_of_the_way_is_chosen_by_the_metric(target, share):
    line = Interpolation(shares=(0.25, 0.5, 0.75), parts=("number",))
    line.begin(Number(0.0))
    judge = nearness(target)
    end = Number(8.0).state_dict()
    found = line.combined(judge(end), [], judge)
    assert found.told["share"] == share
    assert found.judged.weights["number"].item() == pytest.approx(8.0 * share)
    assert list(found.told["metrics"]) == ["0.25", "0.5", "0.75", "1"]


def test_parts_that_are_not_there_are_named():
    line = Interpolation(shares=(0.5,), parts=("encoders.text.", "tasks."))
    with pytest.raises(ValueError, match=r"no weights begin with encoders\.text\. or tasks\."):
        line.begin(Number(0.0))


def test_what_does_not_move_stays_as_it_was_fitted():
    begin, end = Number(0.0).state_dict(), {**Number(8.0).state_dict(), "head": torch.tensor([7.0])}
    found = between({"number": begin["number"]}, end, share=0.5)
    assert (found["number"].item(), found["head"].item(), int(found["seen"])) == (4.0, 7.0, 3)
