"""`torch.compile` for encoders: worth its first minutes on a GPU, seldom on a CPU."""

import shutil
from typing import Literal

import torch
from torch import nn

from polyloom.errors import RequestError

Compile = bool | Literal["auto"]
COMPILERS = ("c++", "g++", "clang++")


def compiles(*, wanted: Compile, device: torch.device) -> bool:
    """Whether encoders are to be compiled: `auto` says yes on CUDA only.

    Raises RequestError when it is wanted on a CPU and there is no C++ compiler, which torch needs at run time.
    """
    if wanted == "auto":
        return device.type == "cuda"
    if wanted and device.type == "cpu" and not any(map(shutil.which, COMPILERS)):
        raise RequestError(
            f"recipe.compile: true needs a C++ compiler on a CPU, and none of {', '.join(COMPILERS)} is on the PATH. "
            "Install one, or set recipe.compile: auto."
        )
    return wanted


def compile_encoder(encoder: nn.Module) -> None:
    """Compile in place, for batches of any length; the names of its weights stay as they are."""
    encoder.compile(dynamic=True)
