"""The learned order of recommendations: used where it gains, told where it does not, and served with its reasons."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from flows.stages.rank import LEAST_USERS, decided
from flows.stages.recommend import save_recommender
from flows.use_spec import Recommend
from polyloom.durable import read_json
from polyloom.progress import SILENT
from releases.recommending import QUALITY, RANKING, Recommending
from releases.search import Searcher
from retrieval.items import Field, Items
from retrieval.live import Writer, open_index, publish_index
from retrieval.recommending.interactions import read_interactions
from retrieval.recommending.quality import Interval
from retrieval.recommending.recommender import Event

ITEMS, USERS, EACH = 120, 220, 8
DAY, NOW = 86_400.0, 1.7e9
RANK = {"price": "price", "published": "added", "category": "kind", "candidates": 60}
FIELDS = {"text": Field("test", 4)}
COLUMNS = {"price": "number", "added": "time", "kind": "category"}
INDEX = {"columns": COLUMNS, "weights": {}, "group": None, "image": None, "show": ["price", "kind"]}


def catalogue():
    """Items whose vectors say nothing; prices, kinds and dates are drawn, and some are not known."""
    random = np.random.default_rng(3)
    prices = random.uniform(1, 100, ITEMS).tolist()
    rows = {
        "price": pa.array([None if place % 40 == 39 else price for place, price in enumerate(prices)], pa.float64()),
        "kind": [None if place % 50 == 49 else f"k{place % 4}" for place in range(ITEMS)],
        "added": pa.array((NOW - random.uniform(1, 900, ITEMS) * DAY) * 1e6, pa.float64())
        .cast(pa.int64(), safe=False)
        .cast(pa.timestamp("us", tz="UTC")),
    }
    vectors = random.normal(size=(ITEMS, 4)).astype(np.float32)
    return Items(ids=[f"i{n:03}" for n in range(ITEMS)], vectors={"text": vectors}, rows=pa.table(rows))


def events(items, *, by_price, users=USERS):
    """What each user takes: things of about one price, or anything."""
    random = np.random.default_rng(4)
    prices = np.array([50.0 if price is None else price for price in items.rows["price"].to_pylist()])
    rows = []
    for user in range(users):
        near = np.exp(-np.abs(np.log(prices) - np.log(random.uniform(2, 100))) * (8 if by_price else 0))
        for step, place in enumerate(random.choice(ITEMS, EACH, replace=False, p=near / near.sum())):
            rows.append((f"u{user:03}", items.ids[place], NOW - (EACH - step) * DAY, float(random.integers(1, 4))))
    names = ("user", "item", "time", "weight")
    columns = list(zip(*rows, strict=True)) or [[]] * 4
    types = (pa.string(), pa.string(), pa.float64(), pa.float64())
    table = pa.table({name: pa.array(column, kind) for name, column, kind in zip(names, columns, types, strict=True)})
    return read_interactions(table, user="user", item="item", time="time", weight="weight")


def saved(folder: Path, *, by_price=True, users=USERS, rank=RANK, **settings):
    """A saved recommender of popularity and content; gives its figures."""
    items = catalogue()
    asked = Recommend(interactions="taken", models=("popularity", "content"), rank=rank, **settings)
    given = events(items, by_price=by_price, users=users)
    return save_recommender(folder, items, given, settings=asked, progress=SILENT, seed=5)


@pytest.fixture(scope="module")
def gaining(tmp_path_factory):
    """A folder with a recommender whose order gains and an index, and its figures."""
    folder = tmp_path_factory.mktemp("rank")
    figures = saved(folder / "recommender")
    publish_index(folder / "index", catalogue(), fields=FIELDS)
    return folder, figures


def opened(folder, *, where=None, diversity=0.0):
    facts = {"seen": "leave_out", "where": where, "diversity": diversity, "rank": RANK}
    return Recommending.open(folder / "recommender", facts=facts, index=INDEX)


def searcher(folder):
    return Searcher(open_index(folder / "index", encoders={"text": "test"}), facts=INDEX)


HISTORY = [Event(f"i{place:03}", 2.0, NOW - place * DAY) for place in (3, 20, 41)]


def test_an_order_that_gains_is_used_and_says_so(gaining):
    folder, figures = gaining
    found = figures["rank"]
    assert found["used"]
    assert found["verdict"].startswith("gains: nDCG@10 +")
    assert found["gain_low"] > 0
    assert found["ndcg_at_10"] > found["blend_ndcg_at_10"] == pytest.approx(figures["ndcg_at_10"], abs=1e-3)
    assert next(iter(found["counts"])) == "price_distance"
    assert read_json(folder / "recommender" / QUALITY)["rank"] == found
    assert (folder / "recommender" / RANKING).is_dir()


def test_the_same_seed_gives_the_same_order_and_bytes(gaining, tmp_path):
    folder, figures = gaining
    assert saved(tmp_path / "again") == figures
    for path in sorted(folder.glob("recommender/**/*")):
        if path.is_file():
            assert (tmp_path / "again" / path.relative_to(folder / "recommender")).read_bytes() == path.read_bytes()


def test_items_come_in_the_learned_order_with_its_reasons(gaining):
    folder, _ = gaining
    prices = np.array([searcher(folder).item(event.item)["price"] for event in HISTORY])
    hits = opened(folder).recommend(searcher(folder), HISTORY, k=8)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(0 < len(hit.why) <= 3 and sum(map(abs, hit.why.values())) <= 1.001 for hit in hits)
    assert any("price_distance" in hit.why for hit in hits)
    assert all(hit.parts for hit in hits)
    usual = np.exp(np.log(prices).mean())
    apart = [abs(np.log((hit.row["price"] or usual) / usual)) for hit in hits]
    everything = [abs(np.log(price / usual)) for price in catalogue().rows["price"].to_pylist() if price]
    assert np.mean(apart) < np.mean(everything) / 1.5


def test_filters_diversity_and_long_lists_hold_under_an_order(gaining):
    folder, _ = gaining
    only = opened(folder, where="kind = 'k1'").recommend(searcher(folder), HISTORY, k=200, where="price < 60")
    assert only
    assert all(hit.row["kind"] == "k1" and hit.row["price"] < 60 for hit in only)
    everything = opened(folder).recommend(searcher(folder), HISTORY, k=500)
    assert len(everything) == ITEMS - len(HISTORY)
    differing = opened(folder).recommend(searcher(folder), HISTORY, k=8, diversity=0.9)
    assert [hit.id for hit in differing] != [hit.id for hit in everything[:8]]
    assert all(hit.why for hit in differing)


def test_somebody_new_gets_what_is_popular_without_an_order(gaining):
    hits = opened(gaining[0]).recommend(searcher(gaining[0]), [], k=3)
    assert all(hit.parts == {"popularity": 1.0} and not hit.why for hit in hits)


def test_prices_are_those_that_the_index_has_now(gaining, tmp_path):
    folder, _ = gaining
    publish_index(tmp_path / "index", catalogue(), fields=FIELDS)
    asked = opened(folder)
    before = [hit.id for hit in asked.recommend(searcher(tmp_path), HISTORY, k=5)]
    table, first = catalogue(), before[0]
    place = table.ids.index(first)
    row = table.rows.slice(place, 1).set_column(0, "price", pa.array([9e9]))
    changed = Items(ids=[first], vectors={"text": table.vectors["text"][[place]]}, rows=row)
    Writer(tmp_path / "index", encoders={"text": "test"}).upsert(changed, removed=[before[1]])
    after = [hit.id for hit in asked.recommend(searcher(tmp_path), HISTORY, k=5)]
    assert first not in after
    assert before[1] not in after


def test_an_order_that_does_not_gain_is_told_and_not_used(tmp_path):
    found = saved(tmp_path / "r", by_price=False)["rank"]
    assert not found["used"]
    assert found["verdict"].startswith("no significant gain, so the blend's order stays: nDCG@10 ")
    assert not (tmp_path / "r" / RANKING).exists()


def test_it_is_used_all_the_same_where_the_scenario_says_always(tmp_path):
    found = saved(tmp_path / "r", by_price=False, rank={"always": True})["rank"]
    assert found["used"]
    assert found["verdict"].startswith("used because the scenario says always; no significant gain")
    assert (tmp_path / "r" / RANKING).is_dir()
    assert set(found["counts"]) <= {"popularity", "content", "blend", "recent_popularity"}


@pytest.mark.parametrize("users", [0, 1, 5])
def test_too_few_users_teach_nothing(tmp_path, users):
    found = saved(tmp_path / "r", users=users)
    assert not found["rank"]["used"]
    assert "at least 50 are needed to learn from" in found["rank"]["verdict"]
    assert found["users"] == users


def test_an_empty_catalogue_has_nothing_to_order(tmp_path):
    items = Items(ids=[], vectors={"text": np.zeros((0, 4), np.float32)}, rows=catalogue().rows.slice(0, 0))
    asked = Recommend(interactions="taken", models=("popularity", "content", "towers"), rank=RANK)
    given = events(catalogue(), by_price=True, users=3)
    figures = save_recommender(tmp_path / "r", items, given, settings=asked, progress=SILENT)
    assert (figures["items"], figures["rank"]["used"]) == (0, False)


def test_the_verdict_goes_by_the_interval_and_by_enough_users():
    gain = Interval(0.02, 0.01, 0.03)
    assert decided(gain, users=LEAST_USERS, always=False)[0]
    used, verdict = decided(gain, users=LEAST_USERS - 1, always=False)
    assert not used
    assert f"by {LEAST_USERS - 1} users alone" in verdict
    assert not decided(Interval(0.02, 0.0, 0.03), users=99, always=False)[0]
