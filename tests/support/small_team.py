"""One process of a team, started by a test: `python -m tests.support.team_run RANK SIZE PORT`; prints JSON."""

import json
import sys

import numpy as np
import torch
from torch import nn
from torch.distributed import TCPStore

from training.team import joined


def main(rank: int, size: int, port: int) -> None:
    """Sum gradients, numbers, arrays and buffers once."""
    cpu = torch.device("cpu")
    store = TCPStore("127.0.0.1", port, size, is_master=rank == 0)
    with joined(store, rank=rank, size=size, device=cpu) as team:
        model = nn.ModuleDict({"both": nn.Linear(2, 1), "first": nn.Linear(2, 1), "none": nn.Linear(2, 1)})
        norm = nn.BatchNorm1d(2)
        norm.running_mean.fill_(rank)
        model["both"].weight.grad = torch.tensor([[1.0, 10.0]]) * (rank + 1)
        if rank == 0:
            model["first"].weight.grad = torch.tensor([[5.0, 6.0]])
        team.sum_gradients(list(model.parameters()))
        team.average_statistics(norm)
        told = {
            "gradients": {
                name: None if one.grad is None else one.grad.tolist() for name, one in model.named_parameters()
            },
            "worst": team.worst(2 if rank == 1 else 0),
            "numbers": team.sum_numbers([1.0, rank]),
            "gathered": [
                {name: [str(array.dtype), array.tolist()] for name, array in one.items()}
                for one in team.gather({f"of_{rank}": np.full((rank + 1, 2), rank), "all": np.array([rank / 2], "f4")})
            ],
            "mean": norm.running_mean.tolist(),
            "seen": int(norm.num_batches_tracked),
        }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
