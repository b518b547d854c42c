"""Units of an encoder that can be taken out whole: neurons of its feed-forward layers, heads of its attention."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from modalities.encoders.layers import transformer_blocks
from polyloom.errors import RequestError

UnitKind = Literal["neurons", "heads"]
# Ends of layers' names: what a unit reads by, and what it writes by. Of a BERT, of timm's transformers.
NEURONS = (("intermediate.dense", "output.dense"), ("mlp.fc1", "mlp.fc2"))
HEADS = (("attention.self.query", "attention.self.key", "attention.self.value"), "attention.output.dense")


@dataclass(frozen=True)
class Units:
    """The units of one layer, by the names of the encoder's modules that they read and write by.

    Unit `u` is the rows from `u x width` to `(u + 1) x width` of each layer in `reads`, and those columns of `writes`.
    """

    kind: UnitKind
    reads: tuple[str, ...]
    writes: str
    width: int

    def count(self, encoder: nn.Module) -> int:
        """How many there are."""
        return linear(encoder, self.writes).in_features // self.width

    def contribution(self, encoder: nn.Module) -> Tensor:
        """|weight x gradient| summed before its size is taken, [units]: how the loss would change without each."""
        weight = linear(encoder, self.writes).weight
        if weight.grad is None:
            return torch.zeros(self.count(encoder), device=weight.device)
        moved: Tensor = (weight.detach() * weight.grad).sum(0).reshape(-1, self.width).sum(1)
        return moved.abs()

    def gone(self, encoder: nn.Module) -> Tensor:
        """Which units write nothing, bool [units]."""
        weight = linear(encoder, self.writes).weight.detach()
        return (weight == 0).all(0).reshape(-1, self.width).all(1)

    @torch.no_grad()
    def silence(self, encoder: nn.Module, units: Tensor) -> None:
        """Let the units, bool [units], write nothing."""
        linear(encoder, self.writes).weight[:, units.repeat_interleave(self.width)] = 0.0

    @torch.no_grad()
    def keep(self, encoder: nn.Module, units: Tensor) -> None:
        """Take all units but these, bool [units], out of the matrices."""
        features = units.repeat_interleave(self.width)
        for name in self.reads:
            shrink(linear(encoder, name), rows=features)
        shrink(linear(encoder, self.writes), columns=features)


def units_of(encoder: nn.Module) -> list[Units]:
    """All units, from the input upward. Raises RequestError for an encoder whose units are not known."""
    found = [units for name, block in transformer_blocks(encoder) for units in block_units(name, block)]
    if not found:
        raise RequestError(
            "recipe.prune.kind: structured takes neurons and heads out of a BERT and neurons out of timm's plain "
            "transformers (vit, deit); this encoder is neither. Write `kind: magnitude`."
        )
    return found


def block_units(name: str, block: nn.Module) -> Iterator[Units]:
    """The units of one transformer block."""
    known = dict(block.named_modules())
    reads, writes = HEADS
    if all(one in known for one in (*reads, writes)):
        width = int(known["attention.self"].attention_head_size)
        yield Units("heads", tuple(f"{name}.{one}" for one in reads), f"{name}.{writes}", width)
    for read, write in NEURONS:
        if read in known and write in known:
            yield Units("neurons", (f"{name}.{read}",), f"{name}.{write}", 1)


def slim(encoder: nn.Module) -> dict[str, int]:
    """Take the units that write nothing out of the matrices, in place; how many of each kind have gone."""
    gone: dict[str, int] = {}
    for units in units_of(encoder):
        silent = units.gone(encoder)
        gone[units.kind] = gone.get(units.kind, 0) + int(silent.sum())
        if silent.any():
            units.keep(encoder, ~silent)
    return gone


@torch.no_grad()
def take_shapes(encoder: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Cut the encoder's linear layers to the sizes that they have in a state, which may then be loaded."""
    for name, module in encoder.named_modules():
        saved = state.get(f"{name}.weight")
        if isinstance(module, nn.Linear) and saved is not None and saved.shape != module.weight.shape:
            rows, columns = (
                torch.arange(size) < kept for size, kept in zip(module.weight.shape, saved.shape, strict=True)
            )
            shrink(module, rows=rows, columns=columns)


def shrink(module: nn.Linear, *, rows: Tensor | None = None, columns: Tensor | None = None) -> None:
    """Keep some outputs and inputs of a linear layer, each bool over them."""
    weight = module.weight.detach()
    weight = weight if rows is None else weight[rows]
    module.weight = nn.Parameter((weight if columns is None else weight[:, columns]).clone())
    if rows is not None and module.bias is not None:
        module.bias = nn.Parameter(module.bias.detach()[rows].clone())
    module.out_features, module.in_features = module.weight.shape


def linear(encoder: nn.Module, name: str) -> nn.Linear:
    """A linear layer by its name."""
    found = encoder.get_submodule(name)
    if not isinstance(found, nn.Linear):
        raise TypeError(f"{name} is no linear layer")
    return found
