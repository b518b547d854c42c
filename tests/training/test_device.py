"""Where and in which precision."""

import contextlib
from pathlib import Path

import pytest
import torch

from polyloom.errors import RequestError
from training.device import place

on_cpu = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")


@on_cpu
def test_half_precision_of_a_gpu_is_refused_on_a_cpu():
    with pytest.raises(
        RequestError, match=r"recipe.precision: 'fp16' needs a GPU; a CPU takes 'auto', 'fp32' or 'bf16'"
    ):
        place("fp16")


@on_cpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_is_asked_for_is_taken(precision):
    found = place(precision)
    assert (found.device.type, found.precision, found.scaler().is_enabled()) == ("cpu", precision, False)


@on_cpu
def test_auto_takes_bf16_only_where_the_cpu_multiplies_in_it():
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").is_file() else ""
    assert place().precision == ("bf16" if "amx_bf16" in flags.split() else "fp32")


def test_products_have_the_precision_of_the_block():
    matrix = torch.ones(2, 2)
    with place("bf16").autocast():
        assert (matrix.to(place().device) @ matrix.to(place().device)).dtype == torch.bfloat16
    assert isinstance(place("fp32").autocast(), contextlib.nullcontext)
