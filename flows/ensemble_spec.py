"""The section `recipe.ensemble`: several heads over the same frozen encoders, released as one."""

from typing import Annotated

from pydantic import Field

from flows.spec_section import Positive, Section

Rate = Annotated[float, Field(gt=0)]


class Member(Section):
    """A member, and what it does not share with the recipe."""

    seed: int | None = None
    epochs: Positive | None = None
    patience: Annotated[int, Field(ge=0)] | None = None
    batch_size: Positive | None = None
    learning_rate: Rate | None = None


class Ensemble(Section):
    """Members with seeds of their own whose probabilities are averaged: how many, or what each is given."""

    members: Annotated[int, Field(ge=2, le=50)] | Annotated[tuple[Member, ...], Field(min_length=2, max_length=50)]

    @property
    def settings(self) -> tuple[Member, ...]:
        """Each member's own."""
        return self.members if isinstance(self.members, tuple) else (Member(),) * self.members
