"""How recommendations explore: places for items that are not sure to be liked, so that it can be learned."""

from typing import Annotated, Literal

from pydantic import Field

from flows.spec_section import Positive, Section

ExploreRule = Literal["thompson", "upper_bound", "epsilon_greedy", "softmax"]


class Explore(Section):
    """The last `slots` places of a list are drawn by a bandit among the `pool` next best items.

    `rule` is how it weighs what it knows against what it could learn; a `share` of its choices is uniform, so that
    other policies can be judged by the log. What nobody said anything of within `wait_hours` brought nothing.
    """

    rule: ExploreRule = "thompson"
    slots: Positive = 1
    pool: Annotated[int, Field(ge=2, le=500)] = 30
    share: Annotated[float, Field(gt=0, le=1)] = 0.1
    wait_hours: Annotated[float, Field(ge=0)] = 1.0
