"""A fit's state on disk, from which it goes on exactly: safetensors for tensors, JSON for the rest, no pickle."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from polyloom.durable import publish_folder, read_json, write_json

KEPT = 2
AVERAGE = "average.safetensors"


def save_checkpoint(
    folder: Path,
    *,
    number: int,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    best: dict[str, Tensor],
    position: dict[str, Any],
    average: dict[str, Tensor] | None = None,
) -> None:
    """Publish checkpoint `number`; older ones but the last are removed. `position` is any JSON object.

    `average` is the state of a running average of the weights, where one is kept.
    """
    state = optimizer.state_dict()
    with publish_folder(folder / f"step-{number:09d}") as draft:
        save_file(contiguous(model.state_dict()), draft / "model.safetensors")
        save_file(contiguous(best), draft / "best.safetensors")
        save_file(contiguous(flat_state(state)), draft / "optimizer.safetensors")
        if average is not None:
            save_file(contiguous(average), draft / AVERAGE)
        save_file(random_states(), draft / "random.safetensors")
        rest = {"groups": state["param_groups"], "scaler": scaler.state_dict(), "position": position}
        write_json(draft / "state.json", rest)
    for old in checkpoints(folder)[:-KEPT]:
        remove(old)


def load_checkpoint(
    folder: Path, *, model: nn.Module, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler
) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """Put the newest checkpoint's state back and return its position and best weights; None where there is none."""
    found = checkpoints(folder)
    if not found:
        return None
    newest = found[-1]
    rest = read_json(newest / "state.json")
    model.load_state_dict(load_file(newest / "model.safetensors"))
    tensors = load_file(newest / "optimizer.safetensors")
    optimizer.load_state_dict({"state": nested_state(tensors), "param_groups": rest["groups"]})
    scaler.load_state_dict(rest["scaler"])
    restore_random(load_file(newest / "random.safetensors"))
    return rest["position"], load_file(newest / "best.safetensors")


def load_average(folder: Path) -> dict[str, Tensor]:
    """The newest checkpoint's running average of the weights; empty where it holds none."""
    path = checkpoints(folder)[-1] / AVERAGE
    return load_file(path) if path.is_file() else {}


def checkpoints(folder: Path) -> list[Path]:
    """Published checkpoints, oldest first."""
    return sorted(folder.glob("step-*"))


def remove(checkpoint: Path) -> None:
    """Delete a checkpoint under another name, so that a half-deleted one is never read."""
    doomed = checkpoint.with_name(f".old-{checkpoint.name}")
    checkpoint.rename(doomed)
    for path in doomed.iterdir():
        path.unlink()
    doomed.rmdir()


def contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors as safetensors takes them; only what shares or strides its storage is copied."""
    found: dict[str, Tensor] = {}
    storages: set[int] = set()
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        storage = plain.untyped_storage()
        if storage.data_ptr() in storages or storage.nbytes() != plain.numel() * plain.element_size():
            plain = plain.clone()
        storages.add(plain.untyped_storage().data_ptr())
        found[name] = plain
    return found


def flat_state(state: dict[str, Any]) -> dict[str, Tensor]:
    """An optimiser's state as `<parameter>/<name>` -> tensor."""
    return {f"{number}/{name}": tensor for number, values in state["state"].items() for name, tensor in values.items()}


def nested_state(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """The reverse of `flat_state`."""
    nested: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition("/")
        nested.setdefault(int(number), {})[name] = tensor
    return nested


def random_states() -> dict[str, Tensor]:
    """The random generators' states."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def restore_random(states: dict[str, Tensor]) -> None:
    """Put the random generators' states back."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
