"""Exported graphs: one an encoder, one a head; each is compared with torch before it counts as exported."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from heads.alignment import AlignmentHead
from heads.decoder import Decoder
from modalities.encoders.embeddings import Embeddings
from modalities.encoders.onnx import open_session
from modalities.preparation.protocol import Arrays
from polyloom.durable import write_json
from polyloom.errors import IntegrityError
from training.task_models import Encoded, TaskModel

TOLERANCE = 1e-4


# The second axis of these arrays may vary too; arrays with the same word vary together.
SECOND_AXES = {
    "input_ids": "tokens",
    "attention_mask": "tokens",
    "token_type_ids": "tokens",
    "tokens": "tokens",
    "places": "places",
    "characters": "places",
    "offsets": "tokens",
}


class NamedEncoder(nn.Module):
    """An encoder that takes its arrays in order and gives its embeddings in order, `pooled` first."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        """The embeddings."""
        given: Embeddings = self.encoder(*arrays)
        return tuple(given.named().values())


class NamedTask(nn.Module):
    """A task that takes its graph's inputs in order and gives the named outputs in order."""

    def __init__(self, task: TaskModel, names: Sequence[str]) -> None:
        super().__init__()
        self.task = task
        self.names = tuple(names)

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        """The outputs."""
        arrays = dict(zip(self.names, given, strict=True))
        outputs: dict[str, Tensor] = self.task(task_inputs(self.task, arrays))
        return tuple(outputs[name] for name in sorted(outputs))


class OneOutput(nn.Module):
    """A module with one output, given as the others give theirs."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *given: Tensor) -> tuple[Tensor]:
        """The output alone."""
        return (self.module(*given),)


def task_inputs(task: TaskModel, arrays: Mapping[str, Tensor]) -> Encoded:
    """A graph's inputs as a task reads them: see `heads.onnx` for their names."""
    if task.head.reads in {"fused", "pair"}:
        present = {name: arrays.get(f"{name}_present", torch.ones(1)) for name in task.inputs}
        return Encoded({name: Embeddings(pooled=arrays[name]) for name in task.inputs}, {}, present)
    (name,) = task.inputs
    if task.head.reads == "tokens":
        side = {key: array for key, array in arrays.items() if key != "tokens"}
        tokens = arrays["tokens"]
        return Encoded({name: Embeddings(pooled=tokens[:, 0], tokens=tokens)}, {name: side}, {})
    maps = tuple(arrays[key] for key in sorted(arrays, key=lambda key: int(key.removeprefix("map"))))
    return Encoded({name: Embeddings(pooled=maps[-1].mean((2, 3)), maps=maps)}, {}, {})


def export_encoder(encoder: nn.Module, *, example: Arrays, folder: Path, dim: int) -> float:
    """Write `model.onnx` and `encoder.json`; returns the largest difference to torch.

    `example` has at least two rows. Raises IntegrityError when the graph disagrees by more than 1e-4.
    """
    encoder = encoder.cpu().eval()
    read = {name: example[name] for name in encoder.reads}  # type: ignore[union-attr]
    with torch.inference_mode():
        outputs = list(encoder(*map(torch.from_numpy, read.values())).named())
    difference = export_graph(NamedEncoder(encoder), example=read, outputs=outputs, path=folder / "model.onnx")
    write_json(folder / "encoder.json", {"dim": dim, "outputs": outputs, "parity": difference})
    return difference


def export_head(task: TaskModel, *, example: Arrays, decoder: Decoder, folder: Path) -> float:
    """Write `model.onnx` and `head.json`; returns the largest difference to torch.

    `example` holds the graph's inputs for at least two rows, under the names that `heads.onnx` gives them.
    """
    task = task.cpu().eval()
    with torch.inference_mode():
        outputs = sorted(task(task_inputs(task, {name: torch.from_numpy(array) for name, array in example.items()})))
    graph = NamedTask(task, tuple(example))
    difference = export_graph(graph, example=example, outputs=outputs, path=folder / "model.onnx")
    if isinstance(task.head, AlignmentHead):
        difference = max(difference, *(export_side(task, number, example, folder) for number in (0, 1)))
    facts = {"reads": task.head.reads, "inputs": list(task.inputs), "outputs": outputs}
    write_json(folder / "head.json", {**facts, "decoder": decoder.to_json(), "parity": difference})
    return difference


def export_side(task: TaskModel, number: int, example: Arrays, folder: Path) -> float:
    """One side of an alignment as a graph of its own, `first.onnx` or `second.onnx`: a pooled embedding to a vector."""
    side = ("first", "second")[number]
    given = {"embedding": example[task.inputs[number]]}
    return export_graph(
        OneOutput(getattr(task.head, side)), example=given, outputs=["vector"], path=folder / f"{side}.onnx"
    )


def fused_example(dims: Mapping[str, int]) -> Arrays:
    """Three rows of random embeddings, the second of which has no modality."""
    random = np.random.default_rng(0)
    example: Arrays = {}
    for name, dim in dims.items():
        example[name] = random.normal(size=(3, dim)).astype(np.float32)
        example[f"{name}_present"] = np.array([1.0, 0.0, 1.0], dtype=np.float32)
    return example


def export_graph(module: nn.Module, *, example: Arrays, outputs: Sequence[str], path: Path) -> float:
    """One graph with a free batch axis (and token axis), checked on the example and on its first row alone."""
    module = module.cpu().eval()
    tensors = tuple(torch.from_numpy(array) for array in example.values())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            tensors,
            input_names=list(example),
            output_names=list(outputs),
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
    worst = float(np.max([difference(module, session, arrays, outputs) for arrays in pairs]))
    if np.isnan(worst) or worst > TOLERANCE:
        raise IntegrityError(
            f"the exported graph of {type(module).__name__} differs from torch by {worst:.2e}, "
            f"allowed is {TOLERANCE:.0e}; it is not released."
        )
    return worst


def free_axes(name: str, array: np.ndarray) -> dict[int, str]:
    """The axes whose length may vary: the batch, and for arrays over tokens or words these."""
    second = {1: SECOND_AXES[name]} if name in SECOND_AXES else {}
    return {0: "batch", **second} if array.ndim else {}


def difference(module: nn.Module, session: object, arrays: Arrays, outputs: Sequence[str]) -> float:
    """Largest difference between torch and the graph, relative to outputs that are larger than 1."""
    with torch.inference_mode():
        expected = [tensor.numpy() for tensor in module(*(torch.from_numpy(array) for array in arrays.values()))]
    accepted = {given.name for given in session.get_inputs()}  # type: ignore[attr-defined]
    feed = {name: array for name, array in arrays.items() if name in accepted}
    got = session.run(list(outputs), feed)  # type: ignore[attr-defined]
    return max(
        float(np.abs(one - other).max() / max(1.0, float(np.abs(other).max())))
        for one, other in zip(got, expected, strict=True)
    )
