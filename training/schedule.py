"""The learning rate's course: a function of the step, so that a resumed fit needs no state for it."""

import math


def rate_factor(step: int, *, total: int, warmup: float) -> float:
    """Linear from 0 to 1 over the first `warmup` share of `total` steps, then half a cosine down to 0."""
    rising = max(1, round(warmup * total))
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, total - rising)
    return 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))
