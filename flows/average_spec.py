"""The recipe's section `average`: of which states of the weights the model is made."""

from typing import Annotated, Literal

from pydantic import Field

from flows.spec_section import Positive, Section

Inner = Annotated[float, Field(gt=0, lt=1)]


class Ema(Section):
    """The mean over all steps; one further back counts less by `decay`."""

    kind: Literal["ema"]
    decay: Inner = 0.99


class Swa(Section):
    """The mean over the ends of the epochs from `start` on, from 1; by default over the second half.

    The learning rate does not fall below `rate` of itself then.
    """

    kind: Literal["swa"]
    start: Positive | None = None
    rate: Annotated[float, Field(ge=0, le=1)] = 0.25


class Soup(Section):
    """The mean of those epochs with which the gate's metric on the validation rows is no lower."""

    kind: Literal["soup"]


class Interpolation(Section):
    """Weights between the begin (under `auto` the rung before) and the end, `shares` of the way.

    Which one is chosen on the validation rows; the end itself is always tried.
    """

    kind: Literal["interpolation"]
    shares: Annotated[tuple[Inner, ...], Field(min_length=1)] = (0.25, 0.5, 0.75)


Average = Annotated[Ema | Swa | Soup | Interpolation, Field(discriminator="kind")]
