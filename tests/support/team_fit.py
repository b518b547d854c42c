"""One process of a team that fits: `python -m tests.support.team_fit KIND FOLDER RANK SIZE PORT`."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.distributed import TCPStore

from modalities.preparation.pictures import PicturePreparation
from polyloom.progress import SILENT
from tests.support.small_fits import ROWS, Announcing, TinyPictureEncoder, fitting, frozen, goal, task
from tests.support.tiny_models import png
from training.averaging import Ema
from training.fitting import Fitting
from training.inputs import ModalityInput, PictureSource
from training.model import ApplicationModel
from training.soup import GreedySoup
from training.team import joined


def plain(folder: Path, **changed) -> Fitting:
    """A live encoder without dropout, batch norm or augmentation; some pictures are missing."""
    torch.manual_seed(7)
    random = np.random.default_rng(1)
    truth = np.arange(ROWS) % 3
    values = [png(random.integers(0, 255, (16, 16, 3)).astype(np.uint8)) if row % 7 else None for row in range(ROWS)]
    prepare = PicturePreparation(column="p", size=16, mean=(0.5,) * 3, deviation=(0.5,) * 3)
    inputs = {
        "image": ModalityInput(
            present=np.array([value is not None for value in values]),
            source=PictureSource(preparation=prepare, values=values),
        )
    }
    encoder = TinyPictureEncoder()
    encoder.layers[1], encoder.dropout = nn.Identity(), nn.Identity()
    model = ApplicationModel(encoders={"image": encoder}, tasks={"label": task({"image": 8})})
    return fitting(folder, model=model, inputs=inputs, targets={"label": goal(truth)}, **{"accumulate": 2, **changed})


def meant(folder: Path, **changed) -> Fitting:
    """The same, judged and kept by a running mean of the weights."""
    return plain(folder, mean=Ema(decay=0.8), **changed)


def soup(folder: Path, **changed) -> Fitting:
    """The same, of whose epochs a soup is made."""
    return plain(folder, combination=GreedySoup(folder=folder / "epochs"), **changed)


KINDS = {"plain": plain, "frozen": frozen, "meant": meant, "soup": soup}


def main(kind: str, folder: Path, rank: int, size: int, port: int) -> None:
    """Fit with the others; rank 0 leaves its weights and prints the course."""
    torch.set_num_threads(1)
    device = torch.device("cpu")
    store = TCPStore("127.0.0.1", port, is_master=rank == 0, wait_for_workers=False)
    with joined(store, rank=rank, size=size, device=device) as team:
        progress = Announcing() if team.leads else SILENT
        fit = KINDS[kind](folder, team=team, checkpoint_seconds=0, progress=progress)
        result = fit.run()
        if team.leads:
            save_file(fit.model.state_dict(), folder / "fitted.safetensors")
            print(json.dumps([[one.train_loss, one.validation_loss, one.metric] for one in result.history]))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
