"""What each modality is worth to a task: its metric with that modality removed, shuffled between rows, or noised.

Works on embeddings and an exported graph, without torch and without running an encoder again. Shuffling is permutation
importance (Breiman, "Random Forests", 2001) with a modality in the place of a feature.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from heads.bootstrap import paired_difference
from heads.decoder import Scorer

Embedded = Mapping[str, np.ndarray]
Answering = Callable[[Embedded, Embedded], np.ndarray]
Harm = Literal["removed", "shuffled", "noised"]

RESAMPLES = 200


@dataclass(frozen=True)
class Harmed:
    """The metric after a harm, and the 95% interval of its change against the same rows intact (paired bootstrap)."""

    value: float
    change_low: float
    change_high: float


@dataclass(frozen=True)
class ModalityWorth:
    """One modality's figures over the `rows` that have it and, where the task reads others, one of those too.

    `removed` is None for a task that reads nothing else: no row could be answered then.
    """

    rows: int
    intact: float
    removed: Harmed | None
    shuffled: Harmed
    noised: Harmed

    def to_json(self) -> dict[str, object]:
        """A JSON value."""
        return asdict(self)


def modality_worth(
    answer: Answering,
    *,
    truth: np.ndarray,
    embeddings: Embedded,
    present: Embedded,
    scorer: Scorer,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, ModalityWorth]:
    """Each modality's worth; one that no row both has and could do without is left out.

    Args:
        answer: from embeddings [rows, dim] and presence, bool [rows], by modality to what `scorer` takes, [rows, ...].
        truth: what `scorer` compares the answers with, [rows, ...].
    """
    intact = answer(embeddings, present)
    found = {}
    for place, name in enumerate(embeddings):
        others = [present[other] for other in embeddings if other != name]
        rows = np.flatnonzero(present[name] & np.any(others, axis=0) if others else present[name])
        if not len(rows):
            continue

        def harmed(harm: Harm, name: str = name, rows: np.ndarray = rows, place: int = place) -> Harmed:
            random = np.random.default_rng([seed, place])
            given = harmed_inputs(harm, name, embeddings=embeddings, present=present, random=random)
            pair = intact[rows], answer(*given)[rows]
            return compared(truth[rows], *pair, scorer=scorer, seed=seed, resamples=resamples)

        found[name] = ModalityWorth(
            rows=len(rows),
            intact=float(scorer(truth[rows], intact[rows])),
            removed=harmed("removed") if others else None,
            shuffled=harmed("shuffled"),
            noised=harmed("noised"),
        )
    return found


def harmed_inputs(
    harm: Harm, name: str, *, embeddings: Embedded, present: Embedded, random: np.random.Generator
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Embeddings and presence with one modality harmed, as a row would come that lost it or got it wrong.

    `removed` says that no row has it. `shuffled` gives each row that has it another such row's. `noised` adds normal
    noise as large as the embeddings' own deviation in each dimension, so that half of the variance is noise.
    """
    vectors, here = embeddings[name].copy(), present[name]
    if harm == "removed":
        return {**embeddings, name: np.zeros_like(vectors)}, {**present, name: np.zeros_like(here)}
    rows = np.flatnonzero(here)
    if harm == "shuffled":
        # Around a circle in random order, no row keeps its own.
        circle = random.permutation(rows)
        vectors[circle] = vectors[np.roll(circle, 1)]
    else:
        deviation = vectors[rows].std(axis=0)
        vectors[rows] += (random.normal(size=vectors[rows].shape) * deviation).astype(vectors.dtype)
    return {**embeddings, name: vectors}, dict(present)


def compared(
    truth: np.ndarray, intact: np.ndarray, after: np.ndarray, *, scorer: Scorer, seed: int, resamples: int
) -> Harmed:
    """The metric after a harm with the interval of the change: rows are resampled, the same for both."""
    change = paired_difference(
        scorer=scorer, truth=truth, predicted=after, against=intact, seed=seed, resamples=resamples
    )
    return Harmed(value=float(scorer(truth, after)), change_low=change.low, change_high=change.high)
