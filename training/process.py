"""How a process that trains is set up: the same numbers again, and no memory that it does not need."""

import os

import torch
from torch.utils import deterministic

# oneDNN keeps what it compiled for each shape of its operands, 1,024 of them if it is let; a batch of texts is
# nearly always of a new shape, and 32 lose no time and save some 400 MB.
KEPT_KERNELS = "32"


def set_up_process() -> None:
    """Let torch choose what gives the same numbers again, where it can; to be called before anything is computed."""
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    # Filling what is overwritten anyway finds faults in torch itself, and costs a pass over memory each time.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # Without it, two runs of a GPU's matrix products may differ.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", KEPT_KERNELS)
