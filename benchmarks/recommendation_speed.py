"""One user among many items, for the bench `recommendation`: how long a list takes, and whether a new event shows."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from benchmarks.figures import Figure, below, share
from benchmarks.recommendation_movielens import shown
from retrieval.recommending.blend import Blend
from retrieval.recommending.content import make_content
from retrieval.recommending.factors import Factors
from retrieval.recommending.neighbours import fit_neighbours
from retrieval.recommending.popularity import fit_popularity
from retrieval.recommending.recommender import Event, Recommender, open_recommender

ITEMS, USERS, EVENTS = 100_000, 50_000, 1_000_000
FACTORS, DIM = 64, 384
ASKED, HISTORY, LIMIT_MS = 300, 20, 50.0


def speed_figures(*, seed: int, tell: Callable[[str], None]) -> list[Figure]:
    """p50 and p95 of a list of ten for a history of 20, opened from disk, among 100,000 items."""
    random = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as place:
        begun = time.perf_counter()
        made(random).save(Path(place) / "recommender")
        tell(f"made and saved in {time.perf_counter() - begun:.0f} s")
        begun = time.perf_counter()
        recommender = open_recommender(Path(place) / "recommender")
        tell(f"opened in {time.perf_counter() - begun:.2f} s")
        taken, used, changed = [], [], 0
        for _ in range(ASKED):
            history = [Event(str(item)) for item in random.integers(0, ITEMS, HISTORY)]
            before = recommender.recommend(history[:-1], k=10)
            begun, begun_use = time.perf_counter(), time.process_time()
            after = recommender.recommend(history, k=10)
            taken.append(1000 * (time.perf_counter() - begun))
            used.append(1000 * (time.process_time() - begun_use))
            changed += [one.id for one in before] != [one.id for one in after]
    p50, p95 = np.quantile(taken, [0.5, 0.95])
    setting = f"{ITEMS:,} items, factors {FACTORS}, neighbours, content {DIM}"
    return [
        below(f"one user, {setting}: p95", float(p95), "ms", limit=LIMIT_MS),
        shown(f"one user, {setting}: p50", float(p50), "ms"),
        shown(f"one user, {setting}: processor time, p95", float(np.quantile(used, 0.95)), "ms"),
        share("lists that a new event changed", done=changed, of=ASKED, unit="lists"),
    ]


def made(random: np.random.Generator) -> Recommender:
    """A recommender over events of items of skewed popularity; factors and content are drawn, as time asks no more."""
    items = np.minimum((ITEMS * random.random(EVENTS) ** 2).astype(np.int64), ITEMS - 1)
    events = (np.ones(EVENTS, np.float32), (random.integers(0, USERS, EVENTS), items))
    histories = sp.csr_matrix(events, shape=(USERS, ITEMS))
    vectors = random.standard_normal((ITEMS, FACTORS), np.float32) / np.float32(FACTORS**0.5)
    models = (
        fit_popularity(histories),
        Factors(vectors, regularisation=40.0, alpha=2.0, power=1.0),
        fit_neighbours(histories, most=50),
        make_content({"text": random.standard_normal((ITEMS, DIM), np.float32)}),
    )
    return Recommender([str(number) for number in range(ITEMS)], Blend(models, (0.1, 1.0, 0.5, 0.5)))
