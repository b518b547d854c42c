"""Several fitted task models over the same embeddings, which answer as one."""

from collections.abc import Mapping, Sequence
from typing import cast

from torch import Tensor, nn

from heads.averaging import Averaging
from training.task_models import Encoded, Given, Outputs, TaskModel


class EnsembleTask(TaskModel):
    """One task's members, all with the same inputs, and what averages their outputs; a single graph when exported."""

    def __init__(self, members: Sequence[TaskModel], *, averaging: Averaging) -> None:
        super().__init__(inputs=members[0].inputs, head=averaging)
        self.members = nn.ModuleList(members)

    def answer(self, given: Given, encoded: Encoded) -> Outputs:
        """The outputs of the mixture."""
        members = (cast("TaskModel", member) for member in self.members)
        outputs: Outputs = self.head([member.answer(given, encoded) for member in members])
        return outputs


def joined_weights(members: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The members' weights by name as those of their `EnsembleTask`."""
    return {f"members.{number}.{name}": tensor for number, own in enumerate(members) for name, tensor in own.items()}


def members_in(weights: Mapping[str, Tensor]) -> int:
    """How many members' weights these are; 0 for those of a plain task."""
    return len({name.split(".")[1] for name in weights if name.startswith("members.")})
