"""The learned order of recommendations: fitted on what users took last but one, kept only where the last shows a gain.

It is asked about the blend's best items alone, so it learns from those alone: a wanted item that was put among them by
hand would stand out by how low the blend has it, which says nothing of items that are shown.
"""

from typing import Any, NamedTuple

import numpy as np

from flows.use_spec import Rank
from polyloom.progress import Bar
from retrieval.items import Items
from retrieval.recommending.interactions import Interactions
from retrieval.recommending.item_facts import ItemFacts, read_facts
from retrieval.recommending.quality import Interval, paired_interval
from retrieval.recommending.rank_requests import Requests, Trial, recent
from retrieval.recommending.ranker import Ranker
from retrieval.recommending.ranking import BLEND, Ranking

LEAST_USERS = 20


class Judged(NamedTuple):
    """A ranking that is worth to be used, or None, and the figures that say why."""

    ranking: Ranking | None
    figures: dict[str, Any]


def fit_ranking(
    settings: Rank, items: Items, *, learned: Trial, judged: Trial, events: Interactions, seed: int, bar: Bar
) -> Judged:
    """Learn an order on one trial, judge it on a later one; it is used where it gains, or `always` is asked for.

    `events` are all that is known: how often items were taken of late, when it is used, comes from them.
    """
    facts = item_facts(settings, items)
    models = [place for place, weight in enumerate(learned.blend.weights) if weight > 0]

    def requests_of(trial: Trial) -> Requests:
        return Requests(trial, facts, models=models, candidates=settings.candidates, window_days=settings.window_days)

    requests = requests_of(learned)
    rows, relevance, groups = requests.training(seed=seed, step=bar.advance)
    ranker = Ranker.fit(rows, relevance, groups, names=requests.names, seed=seed, fallback=BLEND)
    latest = float(events.times.max(initial=0.0))
    ranking = Ranking(
        ranker, models, recent(events, now=latest, days=settings.window_days), latest, settings.candidates
    )
    if ranker.note is not None:
        return Judged(None, {"used": False, "verdict": ranker.note})
    ours, theirs = requests_of(judged).values(ranker, step=bar.advance)
    gain = paired_interval(ours, theirs)
    used, verdict = decided(gain, users=len(ours), always=settings.always)
    figures = {
        "used": used,
        "verdict": verdict,
        "taught_by": len(np.unique(groups)),
        "tested_users": len(ours),
        "ndcg_at_10": rounded_mean(ours),
        "blend_ndcg_at_10": rounded_mean(theirs),
        "gain": round(gain.mean, 4),
        "gain_low": round(gain.low, 4),
        "gain_high": round(gain.high, 4),
        "counts": {name: round(share, 4) for name, share in ranker.importance().items()},
    }
    return Judged(ranking if used else None, figures)


def decided(gain: Interval, *, users: int, always: bool) -> tuple[bool, str]:
    """Whether a ranking is used, and the reason in a sentence."""
    span = f"nDCG@10 {gain.mean:+.4f} over the blend's order, 95% interval {gain.low:+.4f} to {gain.high:+.4f}"
    if users >= LEAST_USERS and gain.low > 0:
        return True, f"gains: {span}"
    few = f", by {users} users alone" if users < LEAST_USERS else ""
    if always:
        return True, f"used because the scenario says always; no significant gain: {span}{few}"
    return False, f"no significant gain, so the blend's order stays: {span}{few}"


def item_facts(settings: Rank, items: Items) -> ItemFacts:
    """What the items' columns say of them."""
    if items.rows is None:
        return ItemFacts()
    columns = {"price": settings.price, "published": settings.published, "category": settings.category}
    return read_facts(items.rows, np.arange(len(items)), **columns)


def rounded_mean(values: np.ndarray) -> float:
    """The mean over users of whom something was held out; 0 where there are none."""
    return round(float(np.nanmean(values)), 4) if len(values) else 0.0
