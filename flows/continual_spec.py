"""The section `recipe.continual`: rows are learned in the steps in which they arrived, and how forgetting is met."""

from typing import Annotated, Literal

from pydantic import Field

from flows.spec_section import Positive, Section

ContinualKind = Literal["replay", "ewc", "lwf", "naive"]
WEIGHTS: dict[ContinualKind, float] = {"replay": 1.0, "ewc": 1000.0, "lwf": 1.0, "naive": 0.0}


class Continual(Section):
    """Learning step by step. `steps` is a column that says a row's step, or how many labels come in each.

    `replay` learns again from `memory` rows of each label, or of `all` labels together, `ewc` holds on to weights that
    mattered, `lwf` to the former answers, `naive` goes on. `weight` is the say of what was before: with `replay` that
    of an earlier step's rows against the new step's, else a factor of the loss beside; None is the kind's usual one.
    """

    kind: ContinualKind = "replay"
    steps: Annotated[int, Field(ge=1)] | str
    memory: Positive = 20
    memory_of: Literal["label", "all"] = "label"
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @property
    def strength(self) -> float:
        """The weight that holds."""
        return WEIGHTS[self.kind] if self.weight is None else self.weight
