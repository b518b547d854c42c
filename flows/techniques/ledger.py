"""What a comparison came to: each technique's gain over the baseline, with its interval, beside its cost."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from flows.techniques.choice import overrides_of
from flows.techniques.trial import Trial
from flows.techniques.usual import Technique
from heads.bootstrap import SeedsDifference, paired_difference_over_seeds

GAIN, LUCK, NONE, LOSS = "gain", "gain that may be luck", "no significant gain", "loss"


def ledger_of(
    techniques: Sequence[Technique], trials: Mapping[str, Mapping[int, Trial]], *, baseline: str, metric: str
) -> list[dict[str, Any]]:
    """A row a technique, the baseline first. Techniques without a fit are left out; pairs have the same seed."""
    made = [technique for technique in techniques if trials.get(technique.name)]
    plain = trials[baseline]
    rows = []
    for technique in made:
        own = trials[technique.name]
        row = {
            "technique": technique.name,
            "what": technique.what,
            "settings": list(overrides_of(technique.settings)),
            "seeds": sorted(own),
            **figures(own, metric),
            "milliseconds": milliseconds(own, plain),
        }
        if technique.name != baseline:
            row |= against(own, plain, metric=metric, comparisons=len(made) - 1)
        rows.append(row)
    return rows


def figures(trials: Mapping[int, Trial], metric: str) -> dict[str, Any]:
    """Means over the seeds; of the seconds the most, since later fits find embeddings in the cache."""
    costs = [trial.cost for trial in trials.values()]
    return {
        "metric": float(np.mean([trial.scorer(metric)(trial.truth, trial.predicted) for trial in trials.values()])),
        "seconds": max(cost.seconds for cost in costs),
        "trained_parameters": costs[0].trained_parameters,
        "bytes": int(np.mean([cost.bytes for cost in costs])),
    }


def milliseconds(own: Mapping[int, Trial], plain: Mapping[int, Trial]) -> float:
    """Median milliseconds for a row: the baseline's times the pace beside it, as hours later other things run."""
    begin = min(trial.cost.milliseconds for trial in plain.values())
    found = [trial.cost.milliseconds if trial.cost.pace is None else begin * trial.cost.pace for trial in own.values()]
    return round(float(np.mean(found)), 2)


def against(own: Mapping[int, Trial], plain: Mapping[int, Trial], *, metric: str, comparisons: int) -> dict[str, Any]:
    """The paired difference to the baseline from the same seeds, and what it means."""
    seeds = sorted(own.keys() & plain.keys())
    first = plain[seeds[0]]
    found = paired_difference_over_seeds(
        scorer=first.scorer(metric),
        truth=first.truth,
        predicted=[own[seed].predicted for seed in seeds],
        against=[plain[seed].predicted for seed in seeds],
        seed=0,
        comparisons=comparisons,
    )
    return {"difference": found.value, "low": found.low, "high": found.high, "verdict": verdict(found)}


def verdict(found: SeedsDifference) -> str:
    """In words: a gain counts when it stands out beside all others that were looked at."""
    if found.low > 0:
        return GAIN if found.clear else LUCK
    return LOSS if found.high < 0 and found.clear else NONE
