"""How long an epoch of a fit will take, from a few of its steps."""

import time

import numpy as np

from training.fitting import Fitting

STEPS = 8
SCORED_BATCHES = 4


def seconds_per_epoch(fitting: Fitting) -> float:
    """Seconds of one epoch with its validation; the fit's weights are moved, so it is thrown away afterwards.

    Batches differ in length, so steps are taken evenly from the whole epoch; the first one, which is slower, is not
    counted.
    """
    groups = sorted(fitting.epoch_groups(0), key=lambda group: cost(fitting, group))
    chosen = [groups[place] for place in np.linspace(0, len(groups) - 1, min(STEPS, len(groups))).astype(int)]
    fitting.model.train()
    fitting.step(chosen[0], total=len(groups))
    started = time.monotonic()
    for group in chosen:
        fitting.step(group, total=len(groups))
    per_step = (time.monotonic() - started) / len(chosen)
    rows = evenly(fitting.validation_rows, SCORED_BATCHES * fitting.batch_size)
    started = time.monotonic()
    fitting.score(rows)
    per_row = (time.monotonic() - started) / len(rows)
    return per_step * len(groups) + per_row * len(fitting.validation_rows)


def cost(fitting: Fitting, group: list[np.ndarray]) -> float:
    """What a step costs, in tokens where rows differ."""
    return 0.0 if fitting.costs is None else float(sum(len(rows) * fitting.costs[rows].max() for rows in group))


def evenly(rows: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the rows, evenly taken."""
    return np.asarray(rows[np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int))])
