"""The section `tune`: which settings `polyloom tune` tries, how many times, and for how long."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from flows.spec_section import Positive, Section

Setting = bool | int | float | str


class Between(Section):
    """Numbers from `low` to `high`, both included: whole ones where both are whole, evenly by size where `log`."""

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def ordered(self) -> Self:
        """Limits in order, and above 0 where they are taken by size."""
        if self.low >= self.high:
            message = f"low is {self.low} and high is {self.high}; low must be less"
            raise ValueError(message)
        if self.log and self.low <= 0:
            message = f"low is {self.low}; with log it must be more than 0"
            raise ValueError(message)
        return self


class Tune(Section):
    """A search over settings. `space` holds paths of the scenario, such as `recipe.learning_rate`; empty is the usual.

    `minutes` is the budget over all sessions. With `latency` as second objective the answer is a front of trials.
    """

    space: dict[str, Between | Annotated[tuple[Setting, ...], Field(min_length=2)]] = {}
    trials: Positive = 20
    minutes: Annotated[float, Field(gt=0)] | None = None
    objectives: Annotated[tuple[Literal["metric", "latency"], ...], Field(min_length=1, max_length=2)] = ("metric",)
    prune: bool = True
    seed: int = 7

    @field_validator("objectives")
    @classmethod
    def metric_first(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        """The gate's metric, and beside it at most latency."""
        if given not in {("metric",), ("metric", "latency")}:
            message = f"[{', '.join(given)}] is not allowed; write [metric] or [metric, latency]"
            raise ValueError(message)
        return given
