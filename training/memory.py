"""What to do when a batch does not fit: notice it, and cut the batch into pieces that are summed up."""

import ctypes
import gc
import sys

import numpy as np
import torch

MESSAGES = ("out of memory", "defaultcpuallocator", "alloc_failed", "unable to allocate")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: on a GPU, in torch's allocator on a CPU, or in numpy."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error).lower() for message in MESSAGES)


def release_memory() -> None:
    """Give back what a failed attempt, or a fit that has ended, still holds."""
    gc.collect()
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if hasattr(library, "malloc_trim"):
        # glibc keeps what was freed, some hundred megabytes after a fit, until it is told.
        library.malloc_trim(0)  # type: ignore[union-attr]
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def pieces(rows: np.ndarray, count: int) -> list[np.ndarray]:
    """A batch in at most `count` pieces of like size, in order; every row is in one piece, no piece is empty."""
    return [piece for piece in np.array_split(rows, count) if len(piece)]
