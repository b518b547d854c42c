"""Where a fit leaves its weights, each part in a file of its own, and how they come back into modules.

fitted/encoders/<modality>.safetensors         the encoder's own weights
fitted/encoders/<modality>.added.safetensors   what its strategy leaves beside them, where it does
fitted/encoders/<modality>.json                its strategy
fitted/tasks/<task>.safetensors, <task>.json   fusion and head; the decoder
fitted/balance.safetensors                     learned shares of the loss, where there are any
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from heads.decoder import Decoder
from heads.decoding import ClassificationDecoder
from polyloom.durable import publish_folder, read_json, write_json
from training.strategies.settings import Strategy

if TYPE_CHECKING:
    from torch import nn

    from training.model import ApplicationModel
    from training.strategies.tuning import Tuning
    from training.targets import Target

FITTED = "fitted"


def encoder_weights(folder: Path, name: str) -> Path:
    """An encoder's own weights."""
    return folder / FITTED / "encoders" / f"{name}.safetensors"


def added_weights(folder: Path, name: str) -> Path:
    """The weights beside an encoder's own; not there unless its strategy leaves any."""
    return folder / FITTED / "encoders" / f"{name}.added.safetensors"


def encoder_files(folder: Path, name: str) -> list[Path]:
    """All weights that a fit left of an encoder; empty when it ran on finished vectors."""
    return [path for path in (encoder_weights(folder, name), added_weights(folder, name)) if path.is_file()]


def encoder_strategy(folder: Path, name: str) -> Strategy:
    """By which strategy an encoder was fitted."""
    path = folder / FITTED / "encoders" / f"{name}.json"
    return read_json(path)["strategy"] if path.is_file() else "frozen"


def load_encoder(encoder: "nn.Module", folder: Path, name: str) -> None:
    """Put an encoder's own weights back, where a fit left some."""
    from safetensors.torch import load_file

    if not encoder_weights(folder, name).is_file():
        return
    from training.units import take_shapes

    state = load_file(encoder_weights(folder, name))
    # Pruning may have made layers smaller.
    take_shapes(encoder, state)
    encoder.load_state_dict(state)


def load_tasks(model: "ApplicationModel", folder: Path, decoders: Mapping[str, Decoder]) -> None:
    """Put fusions, heads and learned shares of the loss back; heads that know more labels by now keep these new."""
    from safetensors.torch import load_file

    from training.new_labels import with_new_labels

    for name, task in model.tasks.items():
        weights = load_file(folder / FITTED / "tasks" / f"{name}.safetensors")
        known, decoder = read_json(folder / FITTED / "tasks" / f"{name}.json"), decoders[name]
        if isinstance(decoder, ClassificationDecoder) and tuple(known["labels"]) != decoder.labels:
            weights = with_new_labels(weights, task.state_dict(), known=known["labels"], labels=decoder.labels)
        task.load_state_dict(weights)
    balance = folder / FITTED / "balance.safetensors"
    if balance.is_file():
        model.balance.load_state_dict(load_file(balance))


def save_fitted(
    folder: Path, model: "ApplicationModel", targets: Mapping[str, "Target"], tunings: Mapping[str, "Tuning"]
) -> None:
    """Save every part; what encoders learned beside their own weights is folded into them where that can be."""
    from safetensors.torch import save_file

    from training.checkpoint import contiguous
    from training.strategies.weights import fitted_weights, merge

    with publish_folder(folder / FITTED) as draft:
        for part in ("encoders", "tasks"):
            (draft / part).mkdir()
        for name, encoder in model.encoders.items():
            weights = fitted_weights(merge(encoder))
            save_file(contiguous(weights.plain), draft / "encoders" / f"{name}.safetensors")
            if weights.added:
                save_file(contiguous(weights.added), draft / "encoders" / f"{name}.added.safetensors")
            write_json(draft / "encoders" / f"{name}.json", {"strategy": tunings[name].strategy})
        for name, task in model.tasks.items():
            save_file(contiguous(task.state_dict()), draft / "tasks" / f"{name}.safetensors")
            write_json(draft / "tasks" / f"{name}.json", targets[name].decoder.to_json())
        if model.balance.state_dict():
            save_file(contiguous(model.balance.state_dict()), draft / "balance.safetensors")
