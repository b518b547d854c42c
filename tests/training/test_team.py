"""Processes that fit together: sums reckoned by hand, and a fit that ends like that of one process."""

import json
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from polyloom.errors import RequestError
from tests.support.team_fit import KINDS
from training import team as teams
from training.checkpoint import checkpoints
from training.team import ALONE, Team, process_count

SECONDS = 600


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


def started(module, *arguments, size=2):
    port = free_port()
    return [
        subprocess.Popen(
            [sys.executable, "-m", f"tests.support.{module}", *map(str, arguments), str(rank), str(size), port],
            stdout=subprocess.PIPE, text=True,
        )
        for rank in range(size)
    ]  # fmt: skip


def ended(processes):
    """What each process printed; all must have ended well."""
    told = [process.communicate(timeout=SECONDS)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return told


def test_everybody_has_the_same_sums():
    first, second = map(json.loads, ended(started("small_team")))
    assert first == second
    assert first == {
        "gradients": {
            "both.weight": [[3.0, 30.0]],
            "both.bias": None,
            "first.weight": [[5.0, 6.0]],
            "first.bias": None,
            "none.weight": None,
            "none.bias": None,
        },
        "worst": 2,
        "numbers": [2.0, 1.0],
        "gathered": [
            {"all": ["float32", [0.0]], "of_0": ["int64", [[0, 0]]]},
            {"all": ["float32", [0.5]], "of_1": ["int64", [[1, 1], [1, 1]]]},
        ],
        "mean": [0.5, 0.5],
        "seen": 0,
    }


def test_a_team_of_one_changes_nothing():
    model = nn.Linear(2, 1)
    model.weight.grad = torch.ones(1, 2)
    ALONE.sum_gradients(list(model.parameters()))
    assert model.weight.grad.tolist() == [[1.0, 1.0]]
    (gathered,) = ALONE.gather({"one": np.ones((2, 2))})
    assert gathered["one"].tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert ALONE.sum_numbers([0.1, 0.2]) == [0.1, 0.2]
    assert ALONE.worst(2) == 2
    assert ALONE.leads
    assert not Team(rank=1, size=2).leads


def assert_alike(folder, told, alone, *, cut=1):
    """A team's course and weights are those of one process, whose batches are cut into as many pieces."""
    fit = KINDS[alone](folder / "alone")
    fit.stepping.cut = cut
    result = fit.run()
    course = [[one.train_loss, one.validation_loss, one.metric] for one in result.history]
    np.testing.assert_allclose(json.loads(told.splitlines()[-1]), course, rtol=0, atol=1e-5)
    for name, tensor in load_file(folder / "fitted.safetensors").items():
        torch.testing.assert_close(tensor, fit.model.state_dict()[name], rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "meant", "soup"])
def test_two_processes_fit_like_one(kind, tmp_path):
    told, _ = ended(started("team_fit", kind, tmp_path))
    assert_alike(tmp_path, told, kind)


@pytest.mark.slow
def test_dropout_is_that_of_one_process_with_as_many_pieces_and_a_killed_team_goes_on_alike(tmp_path):
    leader, follower = started("team_fit", "frozen", tmp_path)
    for _ in range(9):
        leader.stdout.readline()
    leader.send_signal(signal.SIGKILL)
    leader.communicate(timeout=SECONDS)
    # Without its leader the other one ends by itself, and has written nothing.
    assert follower.communicate(timeout=SECONDS) == ("", None)
    assert follower.returncode != 0
    assert checkpoints(tmp_path)
    told, _ = ended(started("team_fit", "frozen", tmp_path))
    assert_alike(tmp_path, told, "frozen", cut=2)


def test_auto_is_a_process_for_each_gpu(monkeypatch):
    monkeypatch.setattr(teams.torch.cuda, "is_available", lambda: False)
    assert (process_count("auto"), process_count(3)) == (1, 3)
    monkeypatch.setattr(teams.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(teams.torch.cuda, "device_count", lambda: 2)
    assert (process_count("auto"), process_count(1)) == (2, 1)
    with pytest.raises(RequestError, match=r"recipe.processes: 3 is more than this machine's 2 GPU"):
        process_count(3)


def test_a_team_that_has_parted_leaves_no_thread():
    """Torch's own modules that are first imported while the team works held its group to the end of the process."""
    script = """
from pathlib import Path
import torch
from training.team import joined, meeting
store = meeting("127.0.0.1", 0, serves=True)
with joined(store, rank=0, size=1, device=torch.device("cpu")):
    import torch._dynamo, torch.distributed.tensor
names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
print([name for name in names if "gloo" in name])
"""
    if not sys.platform.startswith("linux"):
        pytest.skip("threads are counted in /proc")
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert ended.stdout == "[]\n", ended.stderr
