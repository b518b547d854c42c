"""The two-tower model for the bench `recommendation`: alone, and what it adds to the blend of MovieLens-100k.

Films' contents are those of the part `cold`; splits are those of `movielens`. Weights with and without the model are
learned on the same tenth of the training part.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure
from benchmarks.recommendation_cold import film_content
from benchmarks.recommendation_movielens import FOLD_SHARE, SHARE, K, fitted, gain_figure, ratings, shown
from flows.stages.towers import fit_towers, narrowed
from retrieval.recommending.blend import Trial, learn_weights, make_trial
from retrieval.recommending.interactions import Cut, random_cut
from retrieval.recommending.quality import ndcg, top_lists


def tower_figures(data: Path, *, seeds: Sequence[int], tell: Callable[[str], None]) -> list[Figure]:
    """nDCG@10 of the towers, and of the blend without and with them, the mean over splits."""
    events = ratings(data)
    content = narrowed(film_content(data, events.items).fields, seed=seeds[0])
    found: dict[str, list[np.ndarray]] = {}
    for seed in seeds:
        cut = random_cut(events, share=SHARE, seed=seed)
        weighed = trial_of(random_cut(cut.train, share=FOLD_SHARE, seed=1000 * seed), content, seed=seed)
        tested = trial_of(cut, content, seed=seed)
        weights = {
            "towers": (*[0.0] * (len(tested.scores) - 1), 1.0),
            "blend without towers": (*learn_weights([without_last(weighed)], k=K), 0.0),
            "blend with towers": learn_weights([weighed], k=K),
        }
        for name, own in weights.items():
            found.setdefault(name, []).append(values_of(tested, own))
        told = ", ".join(f"{name} {np.nanmean(own[-1]):.4f}" for name, own in found.items())
        tell(f"seed {seed}: {told}; weights {weights['blend with towers']}")
    figures = [
        shown(f"{name}: nDCG@10, {len(own)} splits", float(np.mean([np.nanmean(one) for one in own])))
        for name, own in found.items()
    ]
    return [
        *figures,
        gain_figure(found["blend with towers"], found["blend without towers"], name="the blend without towers"),
    ]


def trial_of(cut: Cut, content: np.ndarray, *, seed: int) -> Trial:
    """All models and the towers as the last, fitted on one part of a cut."""
    own = cut.train.matrix()
    towers = fit_towers(cut.train, own, content, seed=seed)
    return make_trial([*fitted(cut.train), towers], own, cut.held_out.matrix())


def without_last(trial: Trial) -> Trial:
    """The same without its last model."""
    return Trial(trial.histories, trial.scores[:-1], trial.relevant)


def values_of(trial: Trial, weights: Sequence[float]) -> np.ndarray:
    """Each user's nDCG@10 of a weighting."""
    total = sum(weight * scores for weight, scores in zip(weights, trial.scores, strict=True))
    return ndcg(top_lists(np.asarray(total), k=K, left_out=trial.histories), trial.relevant)
