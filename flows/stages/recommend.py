"""What is recommended to whom: models of behaviour and of content over the index's items, weighed by what came last.

What each user took last is for the figures, what was taken before it for the weights of the models and a learned order;
what is released knows all.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from flows.source_spec import Records
from flows.stages.job import Job
from flows.stages.rank import Judged, fit_ranking
from flows.stages.recommend_fits import fits_of
from flows.stages.recommend_quality import asked_users, quality_of, weights_of
from flows.use_spec import Recommend
from polyloom.durable import read_json, write_json
from polyloom.progress import Progress
from releases.live_index import field_digests
from releases.recommending import FOLDER, QUALITY, RANKING
from releases.runtime import INDEX
from retrieval.items import Items
from retrieval.live import open_index
from retrieval.recommending.blend import Blend
from retrieval.recommending.interactions import Interactions, last_item_out, read_interactions
from retrieval.recommending.model import Model
from retrieval.recommending.rank_requests import Trial
from retrieval.recommending.recommender import Recommender

APPLICATION, WEIGHT = "application.json", "_weight"


def build_recommender(job: Job, folder: Path, *, progress: Progress) -> dict[str, Any]:
    """Fit the scenario's recommender over the index in `folder` and save it beside; gives its figures.

    Nothing where none is asked for. What a learned order showed stands in the release's facts, used or not.
    """
    settings, index = job.scenario.recommend, job.scenario.index
    if settings is None or index is None:
        return {}
    facts = read_json(folder / APPLICATION)
    items = open_index(folder / INDEX, encoders=field_digests(facts), trusted=True).items()
    seed = job.scenario.recipe.seed
    figures = save_recommender(folder / FOLDER, items, events_of(job), settings=settings, progress=progress, seed=seed)
    if "rank" in figures:
        facts["recommend"]["ranked"] = figures["rank"]
        write_json(folder / APPLICATION, facts)
    return figures


def save_recommender(
    folder: Path, items: Items, events: Interactions, *, settings: Recommend, progress: Progress, seed: int = 7
) -> dict[str, Any]:
    """Fit a recommender over the items to what was taken of them, and save it in a new folder; gives its figures."""
    fits = fits_of(items, settings, seed=seed, progress=progress)
    events = events.within(items.ids)
    with progress.stage("recommend", total=len(fits) * 3, unit="fits") as bar:

        def fitted(given: Interactions) -> tuple[tuple[Model, ...], sp.csr_matrix]:
            own = given.matrix(half_life_days=settings.half_life_days)
            models = []
            for name, fit in fits.items():
                bar.say(name)
                models.append(fit(given, own))
                bar.advance(1)
            return tuple(models), own

        tested = last_item_out(events)
        weighed = last_item_out(tested.train)
        models, own = fitted(weighed.train)
        weights = weights_of(weighed.held_out, models, own)
        learned = Trial(Blend(models, weights), weighed.train, own, weighed.held_out)
        models, own = fitted(tested.train)
        judged = Trial(Blend(models, weights), tested.train, own, tested.held_out)
        models, _ = fitted(events)
    facts = {
        "events": len(events),
        "users": len(events.users),
        "items": len(items.ids),
        "weights": dict(zip(fits, weights, strict=True)),
        **quality_of(judged),
    }
    order = ranked(settings, items, learned=learned, judged=judged, events=events, seed=seed, progress=progress)
    facts |= {"rank": order.figures} if order.figures else {}
    recommender = Recommender(items.ids, Blend(models, weights), half_life_days=settings.half_life_days)
    recommender.save(folder)
    if order.ranking is not None:
        order.ranking.save(folder / RANKING)
    write_json(folder / QUALITY, facts)
    return facts


def ranked(
    settings: Recommend,
    items: Items,
    *,
    learned: Trial,
    judged: Trial,
    events: Interactions,
    seed: int,
    progress: Progress,
) -> Judged:
    """The learned order, where the scenario asks for one; without figures where it does not."""
    if settings.rank is None:
        return Judged(None, {})
    asked = len(asked_users(learned.held_out)) + len(asked_users(judged.held_out))
    with progress.stage("rank", total=asked, unit="users") as bar:
        found = fit_ranking(settings.rank, items, learned=learned, judged=judged, events=events, seed=seed, bar=bar)
    progress.log(f"rank      {found.figures['verdict']}")
    return found


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
