"""What each model of a recommender counts, and how good its lists are, by what was held out."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from retrieval.recommending.blend import learn_weights, make_trial
from retrieval.recommending.interactions import Interactions
from retrieval.recommending.model import Model
from retrieval.recommending.popularity import fit_popularity
from retrieval.recommending.quality import ndcg, paired_interval, recall, summary, top_lists
from retrieval.recommending.rank_requests import Trial

PLACES = 10
# Fewer users whose latest item can be held out say nothing about weights.
LEAST_USERS = 20


def weights_of(held_out: Interactions, models: tuple[Model, ...], own: sp.csr_matrix) -> tuple[float, ...]:
    """What each model counts; all alike where too few users tell."""
    told = asked_users(held_out)
    if len(told) < LEAST_USERS:
        return (1.0,) * len(models)
    return learn_weights([make_trial(models, own[told], held_out.matrix()[told])], k=PLACES)


def quality_of(trial: Trial) -> dict[str, Any]:
    """Figures of ten items for each user, over the item that came last, beside the most popular items."""
    held_out, own = trial.held_out, trial.own
    told = asked_users(held_out)
    if not len(told):
        return {"tested_users": 0}
    relevant, seen = held_out.matrix()[told], own[told]
    lists = top_lists(trial.blend.scores(seen), k=PLACES, left_out=seen)
    plain = top_lists(fit_popularity(own).scores(seen), k=PLACES, left_out=seen)
    takers = np.asarray((own > 0).sum(axis=0)).ravel()
    gain = paired_interval(ndcg(lists, relevant), ndcg(plain, relevant))
    figures = summary(lists, relevant, takers=takers, users=own.shape[0])
    return {
        "tested_users": len(told),
        "ndcg_at_10": round(figures.pop("ndcg"), 4),
        "hit_rate_at_10": round(float(np.nanmean(recall(lists, relevant))), 4),
        "popularity_ndcg_at_10": round(float(np.nanmean(ndcg(plain, relevant))), 4),
        "gain_low": round(gain.low, 4),
        "gain_high": round(gain.high, 4),
        **{name: round(value, 4) for name, value in figures.items() if name not in {"precision", "recall"}},
    }


def asked_users(held_out: Interactions) -> np.ndarray:
    """The numbers of users of whom something was held out."""
    return np.unique(held_out.user_numbers)
