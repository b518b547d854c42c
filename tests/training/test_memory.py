"""Memory that ran out is told from other errors; a batch is cut without losing a row."""

import numpy as np
import pytest
import torch

from training.memory import out_of_memory, pieces


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] data. DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 123 bytes."),
        RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError("Unable to allocate 3.2 GiB for an array"),
    ],
)
def test_memory_that_ran_out(error):
    assert out_of_memory(error)


@pytest.mark.parametrize(
    "error", [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("out of memory"), KeyError("x")]
)
def test_other_errors_are_left_alone(error):
    assert not out_of_memory(error)


def test_what_the_allocator_of_this_very_torch_says():
    with pytest.raises(RuntimeError) as raised:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert out_of_memory(raised.value)


@pytest.mark.parametrize(("rows", "count"), [(7, 1), (7, 2), (7, 4), (3, 8), (1, 2)])
def test_pieces_hold_every_row_once_and_in_order(rows, count):
    found = pieces(np.arange(rows) * 10, count)
    assert np.concatenate(found).tolist() == [10 * row for row in range(rows)]
    assert max(map(len, found)) - min(map(len, found)) <= 1
    assert min(map(len, found)) >= 1
