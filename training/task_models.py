"""What stands between embeddings and a task's outputs: fusion and head, or a head over tokens, maps or a pair."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from modalities.encoders.embeddings import Embeddings
from modalities.fusion import Fusion, Unchanged

Outputs = dict[str, Tensor]
Given = list[tuple[Embeddings, dict[str, Tensor]]]


@dataclass(frozen=True)
class Encoded:
    """A batch behind its encoders; rows without a modality are zeros in its embeddings and 0 in `present` [batch].

    `side` holds what a preparation gives beside what the encoder reads, and the masks; there, missing rows are -1.
    """

    embeddings: dict[str, Embeddings]
    side: dict[str, dict[str, Tensor]]
    present: Mapping[str, Tensor]


class TaskModel(nn.Module, ABC):
    """One task. `inputs` are the modalities that it reads, in the order that its exported graph wants."""

    def __init__(self, *, inputs: tuple[str, ...], head: nn.Module) -> None:
        super().__init__()
        self.inputs = inputs
        self.head = head

    def forward(self, encoded: Encoded) -> Outputs:
        """The head's named outputs."""
        given = [(encoded.embeddings[name], encoded.side.get(name, {})) for name in self.inputs]
        return self.answer(given, encoded)

    @abstractmethod
    def answer(self, given: Given, encoded: Encoded) -> Outputs:
        """The outputs from each input's embeddings and side arrays."""


class FusedTask(TaskModel):
    """Fusion of pooled embeddings, whatever is missing, and a head on the fused one."""

    def __init__(self, *, fusion: Fusion | Unchanged, head: nn.Module) -> None:
        super().__init__(inputs=fusion.names, head=head)
        self.fusion = fusion

    def answer(self, given: Given, encoded: Encoded) -> Outputs:
        """The head over the fused embedding [batch, dim]."""
        pooled = {name: embeddings.pooled for name, (embeddings, _) in zip(self.inputs, given, strict=True)}
        outputs: Outputs = self.head(self.fusion(pooled, encoded.present))
        return outputs


class TokenTask(TaskModel):
    """A head over one modality's tokens [batch, tokens, dim]."""

    def __init__(self, *, modality: str, head: nn.Module) -> None:
        super().__init__(inputs=(modality,), head=head)

    def answer(self, given: Given, encoded: Encoded) -> Outputs:  # noqa: ARG002
        """The head over tokens and side arrays."""
        ((embeddings, side),) = given
        outputs: Outputs = self.head(embeddings.tokens, side)
        return outputs


class MapTask(TaskModel):
    """A head over one modality's feature maps. Truth that augmentation has moved goes on beside the outputs."""

    def __init__(self, *, modality: str, head: nn.Module) -> None:
        super().__init__(inputs=(modality,), head=head)

    def answer(self, given: Given, encoded: Encoded) -> Outputs:  # noqa: ARG002
        """The head over the maps, from fine to coarse."""
        ((embeddings, side),) = given
        return {**self.head(embeddings.maps), **side}


class PairTask(TaskModel):
    """A head over two modalities' pooled embeddings; its output `present` [batch] says which rows have both."""

    def __init__(self, *, first: str, second: str, head: nn.Module) -> None:
        super().__init__(inputs=(first, second), head=head)

    def answer(self, given: Given, encoded: Encoded) -> Outputs:
        """The head over the pair."""
        (first, _), (second, _) = given
        one, other = self.inputs
        outputs: Outputs = self.head(first.pooled, second.pooled)
        return {**outputs, "present": encoded.present[one] * encoded.present[other]}
