"""The section `techniques`: what `polyloom techniques` compares, with what, and for how long."""

from typing import Annotated, Any

from pydantic import Field, field_validator

from flows.spec_section import Name, Section

Settings = dict[str, Any]


class Techniques(Section):
    """Techniques, each against the plain baseline on the same rows from the same seeds.

    `baseline` holds paths of the scenario with their values, as `--set` takes them, for every fit; a technique changes
    some more. `tried` adds techniques of one's own to the usual ones, or replaces one of these by its name. `only`
    names those that are compared; empty is all. `minutes` is the budget over all sessions.
    """

    baseline: Settings = {}
    tried: dict[Name, Annotated[Settings, Field(min_length=1)]] = {}
    only: tuple[str, ...] = ()
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (1, 2)
    minutes: Annotated[float, Field(gt=0)] | None = None

    @field_validator("seeds")
    @classmethod
    def different(cls, given: tuple[int, ...]) -> tuple[int, ...]:
        """The same seed twice would count one fit twice."""
        if len(set(given)) < len(given):
            message = f"{list(given)} holds a seed twice; each may stand once"
            raise ValueError(message)
        return given
