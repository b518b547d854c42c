"""Where `torch.compile` is used."""

import pytest
import torch

from polyloom.errors import RequestError
from training import compiling

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("wanted", "device", "expected"),
    [("auto", CPU, False), ("auto", CUDA, True), (False, CUDA, False), (True, CUDA, True)],
)
def test_auto_compiles_on_cuda_only(wanted, device, expected):
    assert compiling.compiles(wanted=wanted, device=device) is expected


def test_a_cpu_needs_a_compiler(monkeypatch):
    monkeypatch.setattr(compiling.shutil, "which", {"g++": "/usr/bin/g++"}.get)
    assert compiling.compiles(wanted=True, device=CPU)
    monkeypatch.setattr(compiling.shutil, "which", lambda name: None)
    with pytest.raises(RequestError, match="needs a C\\+\\+ compiler on a CPU"):
        compiling.compiles(wanted=True, device=CPU)
