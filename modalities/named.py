"""Modules by names that people choose."""

from collections.abc import Iterator, Mapping
from typing import cast

from torch import nn


class NamedModules(nn.Module):
    """Like `nn.ModuleDict`, which refuses the names of its own attributes: 'type', 'values', 'half'."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.names = tuple(modules)
        for name, module in modules.items():
            self.add_module(self.stored(name), module)

    def __getitem__(self, name: str) -> nn.Module:
        return cast("nn.Module", getattr(self, self.stored(name)))

    def __len__(self) -> int:
        return len(self.names)

    @staticmethod
    def stored(name: str) -> str:
        """Under which name a module's weights are stored."""
        return f"of_{name}"

    def items(self) -> Iterator[tuple[str, nn.Module]]:
        """Names and modules, in the order in which they were given."""
        return ((name, self[name]) for name in self.names)
