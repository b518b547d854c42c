"""Exported graphs: one an encoder, one a head; each is compared with torch before it counts as exported."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from heads.decoding import ClassificationDecoder
from modalities.encoders.onnx import open_session
from modalities.preparation.protocol import Arrays
from polyloom.durable import write_json
from polyloom.errors import IntegrityError
from training.model import TaskModel

TOLERANCE = 1e-4


class PooledEncoder(nn.Module):
    """An encoder that gives its pooled embedding alone."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, *arrays: Tensor) -> Tensor:
        """The pooled embedding [batch, dim]."""
        pooled: Tensor = self.encoder(*arrays).pooled
        return pooled


class FlatTask(nn.Module):
    """A task's fusion and head with positional inputs: each modality's embedding, then its presence."""

    def __init__(self, task: TaskModel, names: Sequence[str]) -> None:
        super().__init__()
        self.task = task
        self.names = tuple(names)

    def forward(self, *given: Tensor) -> Tensor:
        """Logits [batch, labels]."""
        embeddings = dict(zip(self.names, given[::2], strict=True))
        present = dict(zip(self.names, given[1::2], strict=True))
        logits: Tensor = self.task(embeddings, present)
        return logits


def export_encoder(encoder: nn.Module, *, example: Arrays, folder: Path, dim: int) -> float:
    """Write `model.onnx` and `encoder.json`; returns the largest difference to torch.

    `example` has at least two rows. Raises IntegrityError when the graph disagrees by more than 1e-4.
    """
    difference = export_graph(PooledEncoder(encoder), example=example, output="pooled", path=folder / "model.onnx")
    write_json(folder / "encoder.json", {"dim": dim, "parity": difference})
    return difference


def export_head(task: TaskModel, *, dims: Mapping[str, int], decoder: ClassificationDecoder, folder: Path) -> float:
    """Write `model.onnx` and `head.json`; returns the largest difference to torch."""
    random = np.random.default_rng(0)
    example: Arrays = {}
    for name, dim in dims.items():
        example[name] = random.normal(size=(3, dim)).astype(np.float32)
        example[f"{name}_present"] = np.array([1.0, 0.0, 1.0], dtype=np.float32)
    difference = export_graph(FlatTask(task, tuple(dims)), example=example, output="logits", path=folder / "model.onnx")
    facts = {"inputs": list(dims), "dims": dict(dims), "decoder": decoder.to_json(), "parity": difference}
    write_json(folder / "head.json", facts)
    return difference


def export_graph(module: nn.Module, *, example: Arrays, output: str, path: Path) -> float:
    """One graph with a free batch axis (and token axis), checked on the example and on its first row alone."""
    module = module.cpu().eval()
    tensors = tuple(torch.from_numpy(array) for array in example.values())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            tensors,
            input_names=list(example),
            output_names=[output],
            dynamo=True,
            dynamic_shapes=(tuple(free_axes(name, array) for name, array in example.items()),),
            verbose=False,
            optimize=True,
        )
    if program is None:
        raise IntegrityError(f"{path.name}: torch exported nothing")
    program.save(str(path), external_data=False)
    session = open_session(path)
    pairs = [example, {name: array[:1] for name, array in example.items()}]
    worst = float(np.max([difference(module, session, arrays, output) for arrays in pairs]))
    if np.isnan(worst) or worst > TOLERANCE:
        raise IntegrityError(
            f"the exported graph of {type(module).__name__} differs from torch by {worst:.2e}, "
            f"allowed is {TOLERANCE:.0e}; it is not released."
        )
    return worst


def free_axes(name: str, array: np.ndarray) -> dict[int, str]:
    """The axes whose length may vary: the batch, and for token arrays the tokens."""
    return {0: "batch", 1: "tokens"} if name in {"input_ids", "attention_mask"} else {0: "batch"} if array.ndim else {}


def difference(module: nn.Module, session: object, arrays: Arrays, output: str) -> float:
    """Largest difference between torch and the graph, relative to outputs that are larger than 1."""
    with torch.inference_mode():
        expected = module(*(torch.from_numpy(array) for array in arrays.values())).numpy()
    accepted = {given.name for given in session.get_inputs()}  # type: ignore[attr-defined]
    feed = {name: array for name, array in arrays.items() if name in accepted}
    got = session.run([output], feed)[0]  # type: ignore[attr-defined]
    return float(np.abs(got - expected).max() / max(1.0, float(np.abs(expected).max())))
