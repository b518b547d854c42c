"""What is recommended to whom: models of behaviour and of content over the index's items, weighed by what came last.

Each user's latest event is for the figures, the one before for the weights of the models; what is released knows all.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from flows.source_spec import Records
from flows.stages.job import Job
from flows.use_spec import Recommend
from polyloom.durable import read_json, write_json
from polyloom.progress import Progress
from releases.live_index import field_digests
from releases.recommending import FOLDER, QUALITY
from releases.runtime import INDEX
from retrieval.items import Items
from retrieval.live import open_index
from retrieval.recommending.blend import Blend, learn_weights, make_trial
from retrieval.recommending.content import make_content
from retrieval.recommending.ease import fit_ease
from retrieval.recommending.factors import fit_factors
from retrieval.recommending.interactions import Interactions, last_out, read_interactions
from retrieval.recommending.model import Model
from retrieval.recommending.neighbours import fit_neighbours
from retrieval.recommending.popularity import fit_popularity
from retrieval.recommending.quality import ndcg, paired_interval, recall, summary, top_lists
from retrieval.recommending.recommender import Recommender

Fit = Callable[[sp.csr_matrix], Model]
WEIGHT = "_weight"
PLACES = 10
# Fewer users whose latest event can be held out say nothing about weights.
LEAST_USERS = 20
BEHAVIOUR: Mapping[str, Fit] = {
    "popularity": fit_popularity,
    "ease": fit_ease,
    "neighbours": fit_neighbours,
    "factors": fit_factors,
}


def build_recommender(job: Job, folder: Path, *, progress: Progress) -> dict[str, Any]:
    """Fit the scenario's recommender over the index in `folder` and save it beside; gives its figures.

    Nothing where none is asked for.
    """
    settings, index = job.scenario.recommend, job.scenario.index
    if settings is None or index is None:
        return {}
    digests = field_digests(read_json(folder / "application.json"))
    items = open_index(folder / INDEX, encoders=digests, trusted=True).items()
    return save_recommender(folder / FOLDER, items, events_of(job), settings=settings, progress=progress)


def save_recommender(
    folder: Path, items: Items, events: Interactions, *, settings: Recommend, progress: Progress
) -> dict[str, Any]:
    """Fit a recommender over the items to what was taken of them, and save it in a new folder; gives its figures."""
    fits: dict[str, Fit] = dict(BEHAVIOUR)
    if items.vectors:
        content = make_content(items.vectors)
        fits["content"] = lambda _: content
    chosen = [fits[name] for name in settings.models if name in fits]
    events = events.within(items.ids)
    with progress.stage("recommend", total=len(chosen) * 3, unit="fits") as bar:

        def fitted(given: Interactions) -> tuple[list[Model], sp.csr_matrix]:
            own = given.matrix(half_life_days=settings.half_life_days)
            models = []
            for fit in chosen:
                models.append(fit(own))
                bar.advance(1)
            return models, own

        tested, weighed = last_out(events), last_out(last_out(events).train)
        weights = weights_of(weighed.held_out, *fitted(weighed.train))
        quality = quality_of(tested.held_out, *fitted(tested.train), weights=weights)
        models, _ = fitted(events)
    recommender = Recommender(items.ids, Blend(tuple(models), weights), half_life_days=settings.half_life_days)
    recommender.save(folder)
    names = [model.kind for model in models]
    facts = {
        "events": len(events), "users": len(events.users), "items": len(items.ids),
        "weights": dict(zip(names, weights, strict=True)), **quality,
    }  # fmt: skip
    write_json(folder / QUALITY, facts)
    return facts


def events_of(job: Job) -> Interactions:
    """The scenario's events, each with what its kind weighs; without a user or an item it says nothing."""
    assert job.scenario.recommend is not None
    name = job.scenario.recommend.interactions
    return read_events(job.snapshot.table(name), job.scenario.data[name])


def read_events(table: pa.Table, source: Any) -> Interactions:
    """Events of a table of a snapshot, as its source in the scenario describes them."""
    assert isinstance(source, Records)
    assert source.user
    assert source.item
    for column in (source.user, source.item, *([source.time] if source.time else [])):
        table = table.filter(table[column].is_valid())
    kinds = table[source.event].to_pylist() if source.event else [None] * len(table)
    weights = np.array([source.weight.get(str(kind), 1.0) for kind in kinds], dtype=np.float64)
    table = table.append_column(WEIGHT, pa.array(weights, pa.float64())).filter(pa.array(weights > 0))
    return read_interactions(table, user=source.user, item=source.item, time=source.time, weight=WEIGHT)


def weights_of(held_out: Interactions, models: list[Model], own: sp.csr_matrix) -> tuple[float, ...]:
    """What each model counts; all alike where too few users tell."""
    told = asked_users(held_out)
    if len(told) < LEAST_USERS:
        return (1.0,) * len(models)
    return learn_weights([make_trial(models, own[told], held_out.matrix()[told])], k=PLACES)


def quality_of(
    held_out: Interactions, models: list[Model], own: sp.csr_matrix, *, weights: tuple[float, ...]
) -> dict[str, Any]:
    """Figures of ten items for each user, over the event that came last, beside the most popular items."""
    told = asked_users(held_out)
    if not len(told):
        return {"tested_users": 0}
    relevant, seen = held_out.matrix()[told], own[told]
    lists = top_lists(Blend(tuple(models), weights).scores(seen), k=PLACES, left_out=seen)
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
