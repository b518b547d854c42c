"""One user among many items, for the bench `recommendation`: how long a list takes, and whether a new event shows.

A release is asked: its index with the columns of items, a filter of its own, a learned order of the 100 best, and what
is found told with its columns. Once with the filter of the scenario, once with another filter in every question.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from benchmarks.figures import Figure, below, share
from benchmarks.recommendation_movielens import shown
from releases.recommending import RANKING, Recommending
from releases.search import Searcher
from retrieval.items import Field, Items
from retrieval.live import open_index, publish_index
from retrieval.recommending.blend import Blend
from retrieval.recommending.content import make_content
from retrieval.recommending.factors import Factors
from retrieval.recommending.neighbours import fit_neighbours
from retrieval.recommending.popularity import fit_popularity
from retrieval.recommending.ranker import Ranker
from retrieval.recommending.ranking import Ranking
from retrieval.recommending.recommender import Event, Recommender

ITEMS, USERS, EVENTS = 100_000, 50_000, 1_000_000
FACTORS, DIM = 64, 384
ROUNDS, ASKED, HISTORY, LIMIT_MS = 5, 60, 20, 50.0
COLUMNS = {"price": "number", "added": "time", "category": "category", "stock": "number"}
INDEX = {"columns": COLUMNS, "weights": {}, "group": None, "image": None, "show": ["price", "category"]}
FACTS = {
    "seen": "leave_out",
    "where": "stock > 0",
    "diversity": 0.1,
    "rank": {"price": "price", "published": "added", "category": "category"},
}
KINDS = ("popularity", "factors", "neighbours", "content")
NAMES = (*KINDS, "blend", "recent_popularity", "price_position", "price_distance", "age_days", "category_share")


def speed_figures(*, seed: int, tell: Callable[[str], None]) -> list[Figure]:
    """p50 and p95 of a list of ten for a history of 20, opened from disk, among 100,000 items."""
    random = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as place:
        folder, begun = Path(place), time.perf_counter()
        publish_index(folder / "index", items(random), fields={"text": Field("bench", 8)})
        made(random).save(folder / "recommender")
        ranking(random).save(folder / "recommender" / RANKING)
        tell(f"made and saved in {time.perf_counter() - begun:.0f} s")
        begun = time.perf_counter()
        searcher = Searcher(open_index(folder / "index", encoders={"text": "bench"}), facts=INDEX)
        asked = Recommending.open(folder / "recommender", facts=FACTS, index=INDEX)
        asked.recommend(searcher, [Event("1")], k=10)
        tell(f"opened, first list in {time.perf_counter() - begun:.2f} s")
        plain = [timed(asked, searcher, random, filtered=False) for _ in range(ROUNDS)]
        filtered = [timed(asked, searcher, random, filtered=True) for _ in range(ROUNDS)]
        changed = sum(changes(asked, searcher, random) for _ in range(ASKED))
    setting = f"{ITEMS:,} items, factors {FACTORS}, neighbours, content {DIM}, learned order of 100"
    return [
        *round_figures(plain, setting, limit=True),
        *round_figures(filtered, f"{setting}, a new filter each time"),
        share("lists that a new event changed", done=changed, of=ASKED, unit="lists"),
    ]


def round_figures(rounds: list[np.ndarray], setting: str, *, limit: bool = False) -> list[Figure]:
    """Of rounds of times the best and the median one; what else the machine does moves these figures."""
    p95 = sorted(float(np.quantile(taken, 0.95)) for taken in rounds)
    p50 = sorted(float(np.quantile(taken, 0.5)) for taken in rounds)
    best, middle = f"best of {len(rounds)} rounds", f"median of {len(rounds)} rounds"
    first = f"one user, {setting}: p95, {best}"
    return [
        below(first, p95[0], "ms", limit=LIMIT_MS) if limit else shown(first, p95[0], "ms"),
        shown(f"one user, {setting}: p95, {middle}", p95[len(p95) // 2], "ms"),
        shown(f"one user, {setting}: p50, {best}", p50[0], "ms"),
        shown(f"one user, {setting}: p50, {middle}", p50[len(p50) // 2], "ms"),
    ]


def timed(asked: Recommending, searcher: Searcher, random: np.random.Generator, *, filtered: bool) -> np.ndarray:
    """Milliseconds of each of a round of lists."""
    taken = []
    for _ in range(ASKED):
        history = some_history(random)
        where = f"price < {random.uniform(50, 100):.6f}" if filtered else None
        begun = time.perf_counter()
        asked.recommend(searcher, history, k=10, where=where)
        taken.append(1000 * (time.perf_counter() - begun))
    return np.array(taken)


def changes(asked: Recommending, searcher: Searcher, random: np.random.Generator) -> bool:
    """Whether one more event changes a list."""
    history = some_history(random)
    lists = [asked.recommend(searcher, own, k=10) for own in (history[:-1], history)]
    return [one.id for one in lists[0]] != [one.id for one in lists[1]]


def some_history(random: np.random.Generator) -> list[Event]:
    """What somebody took."""
    return [Event(str(item)) for item in random.integers(0, ITEMS, HISTORY)]


def items(random: np.random.Generator) -> Items:
    """Items with columns; their vectors in the index are short, as a recommender keeps its own."""
    rows = pa.table(
        {
            "price": random.lognormal(3, 1, ITEMS),
            "added": pa.array(random.integers(0, 1_700_000_000_000_000, ITEMS), pa.timestamp("us", tz="UTC")),
            "category": [f"kind {number}" for number in random.integers(0, 200, ITEMS)],
            "stock": random.integers(0, 20, ITEMS).astype(np.float64),
        }
    )
    ids = [str(number) for number in range(ITEMS)]
    return Items(ids=ids, vectors={"text": random.standard_normal((ITEMS, 8), np.float32)}, rows=rows)


def ranking(random: np.random.Generator) -> Ranking:
    """An order learned from drawn rows; it asks for as many trees as one of real rows."""
    rows = random.standard_normal((400 * 100, len(NAMES)))
    wanted = rows[:, 4] + np.sin(rows[:, 6]) * rows[:, 9] + 0.5 * random.standard_normal(len(rows))
    groups = np.repeat(np.arange(400), 100)
    ranker = Ranker.fit(rows, (wanted > 2.5).astype(int), groups, names=NAMES, seed=7, fallback="blend")
    counts = random.poisson(3, ITEMS).astype(np.float32)
    return Ranking(ranker, range(len(KINDS)), counts, latest=1.7e9, candidates=100)


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
