"""Processes that fit one model in step: each computes its pieces of a batch, gradients are summed, states stay equal.

Every process holds the whole model and makes the same update, so that any of them could write the checkpoint; rank 0
does. What is exchanged goes through `torch.distributed`: gloo between CPUs, NCCL between GPUs.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
import torch.distributed as dist

# Its functions' defaults hold the group of processes that there is when it is first imported, and torch imports it in
# its own time: a group that is held so outlives `destroy_process_group`, and its threads may fall into the end of the
# process. Now there is none.
import torch.distributed.nn.functional
from safetensors.numpy import load, save
from torch import Tensor, nn

from polyloom.errors import RequestError

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store, TCPStore

TIMEOUT = timedelta(minutes=30)


class Team:
    """This process's place among `size` processes. A team of one exchanges nothing."""

    def __init__(self, *, rank: int = 0, size: int = 1, device: torch.device | None = None) -> None:
        self.rank = rank
        self.size = size
        self._device = device or torch.device("cpu")

    @property
    def leads(self) -> bool:
        """Whether this process writes checkpoints and reports progress."""
        return self.rank == 0

    def worst(self, state: int) -> int:
        """The highest state that any process came with; all wait for all."""
        if self.size == 1:
            return state
        given = torch.tensor(state, device=self._device)
        dist.all_reduce(given, op=dist.ReduceOp.MAX)
        return int(given)

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Give every process the sum of all processes' gradients; one that no process has stays None."""
        if self.size == 1:
            return
        wanted = [parameter for parameter in parameters if parameter.requires_grad]
        known = torch.tensor([parameter.grad is not None for parameter in wanted], dtype=torch.int32)
        known = known.to(self._device)
        dist.all_reduce(known, op=dist.ReduceOp.MAX)
        shared = [parameter for parameter, found in zip(wanted, known.tolist(), strict=True) if found]
        if not shared:
            return
        flat = torch.cat([gradient(parameter).flatten().float() for parameter in shared])
        dist.all_reduce(flat)
        for parameter, total in zip(shared, torch.split(flat, [one.numel() for one in shared]), strict=True):
            parameter.grad = total.view_as(parameter).to(parameter.dtype)

    def sum_numbers(self, numbers: Sequence[float]) -> list[float]:
        """Sums over all processes, in double precision."""
        if self.size == 1:
            return list(numbers)
        given = torch.tensor(list(numbers), dtype=torch.float64, device=self._device)
        dist.all_reduce(given)
        return [float(value) for value in given]

    def gather(self, arrays: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
        """All processes' named arrays, by rank. They travel as safetensors: names, types and shapes may differ."""
        if self.size == 1:
            return [dict(arrays)]
        content = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        given = torch.frombuffer(bytearray(save(content)), dtype=torch.uint8)
        lengths = torch.zeros(self.size, dtype=torch.int64)
        lengths[self.rank] = len(given)
        lengths = lengths.to(self._device)
        dist.all_reduce(lengths)
        longest = int(lengths.max())
        sent = torch.zeros(longest, dtype=torch.uint8)
        sent[: len(given)] = given
        received = [torch.empty(longest, dtype=torch.uint8, device=self._device) for _ in range(self.size)]
        dist.all_gather(received, sent.to(self._device))
        return [
            load(one[:length].cpu().numpy().tobytes()) for one, length in zip(received, lengths.tolist(), strict=True)
        ]

    def average_statistics(self, model: nn.Module) -> None:
        """Give every process the mean of all processes' running statistics of batch norms that are being trained."""
        if self.size == 1:
            return
        found = [
            buffer
            for module in model.modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training  # noqa: SLF001
            for buffer in (module.running_mean, module.running_var)
            if buffer is not None
        ]
        if not found:
            return
        flat = torch.cat([buffer.float() for buffer in found])
        dist.all_reduce(flat)
        for buffer, total in zip(found, torch.split(flat, [len(one) for one in found]), strict=True):
            buffer.copy_(total / self.size)


ALONE = Team()


def process_count(wanted: int | Literal["auto"]) -> int:
    """How many processes fit together: with `auto` one for each GPU of this machine, one where there is none.

    Raises RequestError for more processes than GPUs, which would only wait for each other.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "auto":
        return max(1, gpus)
    if gpus and wanted > gpus:
        raise RequestError(
            f"recipe.processes: {wanted} is more than this machine's {gpus} GPU(s). Set {gpus} or 'auto'."
        )
    return wanted


def gradient(parameter: nn.Parameter) -> Tensor:
    """A parameter's gradient, zeros where this process has none."""
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def meeting(address: str, port: int, *, serves: bool, patience: timedelta = TIMEOUT) -> "TCPStore":
    """The store at which processes meet, here as its server (port 0: any free one) or as one of its clients."""
    return dist.TCPStore(address, port, is_master=serves, wait_for_workers=False, timeout=patience)  # type: ignore[attr-defined]


@contextlib.contextmanager
def joined(store: "Store", *, rank: int, size: int, device: torch.device) -> Iterator[Team]:
    """This process in a team of `size` for as long as the block runs; all meet at one store."""
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=TIMEOUT)
    try:
        yield Team(rank=rank, size=size, device=device)
    finally:
        dist.destroy_process_group()
