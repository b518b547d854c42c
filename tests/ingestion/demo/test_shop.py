import collections

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ingestion.demo.catalogue import vocabulary
from ingestion.demo.drawing import COLOURS
from ingestion.demo.shapes import SHAPES


@pytest.fixture(scope="module")
def items(shop):
    return pq.read_table(shop / "items.parquet").to_pylist()


@pytest.fixture(scope="module")
def events(shop):
    return pq.read_table(shop / "events.parquet")


@pytest.fixture(scope="module")
def pixels(shop, items):
    pictures = []
    for item in items:
        with Image.open(shop / item["picture"]) as picture:
            assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (96, 96))
            pictures.append(np.asarray(picture.reduce(6), dtype=np.float64) / 255)
    return np.array(pictures)


def test_enough_products_of_every_kind(items):
    assert len(items) >= 600
    assert len({item["item_id"] for item in items}) == len({item["title"] for item in items}) == len(items)
    for column, known, least in (("category", SHAPES, 40), ("colour", COLOURS, 50)):
        counts = collections.Counter(item[column] for item in items)
        assert set(counts) == set(known)
        assert min(counts.values()) >= least


def test_every_word_of_the_shop_can_be_drawn():
    assert set(vocabulary()["categories"]) == set(SHAPES)
    assert set(vocabulary()["colours"]) == set(COLOURS)


def test_texts_read_like_sentences(items):
    for item in items:
        assert item["title"][0].isupper()
        assert item["description"].endswith((".", "?"))
        for text in (item["title"], item["title_zh"], item["description"]):
            assert "{" not in text
            assert "  " not in text
        assert any("\u4e00" <= letter <= "\u9fff" for letter in item["title_zh"])


def test_price_depends_on_category_and_material(items):
    prices = collections.defaultdict(list)
    for item in items:
        assert item["price"] > 0
        prices[item["category"]].append(item["price"])
        prices[item["category"], item["material"]].append(item["price"])
    assert np.median(prices["chair"]) > 3 * np.median(prices["mug"])
    assert np.median(prices["bag", "leather"]) > 2 * np.median(prices["bag", "nylon"])


def test_pictures_differ(pixels):
    assert len({picture.tobytes() for picture in pixels}) == len(pixels)


def test_some_words_hide_what_the_picture_shows_and_the_other_way_round(items, pixels):
    grey = np.ptp(pixels, axis=3).max(axis=(1, 2)) < 0.01
    hidden_colour = [item["colour"] not in f"{item['title']} {item['description']}".lower() for item in items]
    assert 0.03 < grey.mean() < 0.08
    assert 0.3 < np.mean(hidden_colour) < 0.6
    assert not any(hides and is_grey for hides, is_grey in zip(hidden_colour, grey, strict=True))
    assert 0.08 < np.mean([" No. " in item["title"] for item in items]) < 0.2


def word_features(items):
    texts = [f"{item['title']} {item['description']}".lower().replace(",", "").split() for item in items]
    place = {word: number for number, word in enumerate(sorted({word for text in texts for word in text}))}
    features = np.zeros((len(texts), len(place)))
    for row, text in enumerate(texts):
        features[row, [place[word] for word in text]] = 1
    return features / np.sqrt(features.sum(axis=1, keepdims=True))


def edges(pixels):
    """Where something stands out from the wall or from its neighbour: outlines, whatever the colours."""
    wall = pixels[:, :2].mean(axis=(1, 2), keepdims=True)
    maps = [pixels - wall, np.diff(pixels, axis=1), np.diff(pixels, axis=2)]
    return np.hstack([np.abs(found).max(axis=3).reshape(len(pixels), -1) for found in maps])


def nearness(pixels):
    """How much of a picture comes near to each colour that the shop sells."""
    palette = np.array(list(COLOURS.values())) / 255
    return np.exp(-((pixels[:, :, :, None] - palette) ** 2).sum(axis=4) / 0.02).mean(axis=(1, 2))


def centred(features):
    """Features without their mean, of mean length one, so that no block outweighs the other."""
    features = features - features.mean(axis=0)
    return features / np.linalg.norm(features, axis=1).mean()


def ridge_accuracy(features, labels, *, ridge=10.0):
    """Accuracy on the last quarter of the rows of ridge regression onto one-hot labels, in its dual form."""
    features = 10 * centred(features)
    cut = len(labels) * 3 // 4
    known, places = np.unique(labels, return_inverse=True)
    train = features[:cut]
    weights = np.linalg.solve(train @ train.T + ridge * np.eye(cut), np.eye(len(known))[places[:cut]])
    found = (features[cut:] @ (train.T @ weights)).argmax(axis=1)
    return float((found == places[cut:]).mean())


@pytest.mark.parametrize("task", ["category", "colour"])
def test_words_and_picture_together_beat_each_alone(task, items, pixels):
    labels = np.array([item[task] for item in items])
    picture = edges(pixels) if task == "category" else nearness(pixels)
    words = word_features(items)
    together = ridge_accuracy(np.hstack([centred(words), centred(picture)]), labels)
    assert together > max(ridge_accuracy(words, labels), ridge_accuracy(picture, labels)) + 0.04


def test_events_are_well_formed(items, events):
    assert events.num_rows >= 20_000
    assert events.schema.field("at").type == pa.timestamp("us", tz="UTC")
    rows = events.to_pydict()
    assert len(set(rows["event_id"])) == events.num_rows
    assert set(rows["event"]) == {"view", "cart", "buy"}
    assert len(set(rows["user_id"])) == 400
    assert set(rows["item_id"]) <= {item["item_id"] for item in items}
    assert rows["at"] == sorted(rows["at"])
    assert 85 <= (rows["at"][-1] - rows["at"][0]).days <= 91


def test_nothing_is_bought_that_was_not_looked_at_and_put_into_the_cart(events):
    done = collections.defaultdict(set)
    before = {"view": set(), "cart": {"view"}, "buy": {"view", "cart"}}
    for row in events.to_pylist():
        seen = done[row["user_id"], row["item_id"]]
        assert before[row["event"]] <= seen
        seen.add(row["event"])


def test_few_products_draw_many_views(events):
    counts = np.sort(list(collections.Counter(events["item_id"].to_pylist()).values()))[::-1]
    assert counts[: len(counts) // 10].sum() > 0.25 * counts.sum()


def test_the_hidden_taste_can_be_found(items, events):
    item_place = {item["item_id"]: number for number, item in enumerate(items)}
    history = collections.defaultdict(list)
    for user, item in zip(events["user_id"].to_pylist(), events["item_id"].to_pylist(), strict=True):
        history[user].append(item_place[item])
    last = np.array([seen[-1] for seen in history.values()])
    seen = np.zeros((len(history), len(items)))
    for row, (places, held_out) in enumerate(zip(history.values(), last, strict=True)):
        seen[row, [place for place in places if place != held_out]] = 1

    def hit_at_10(scores):
        best = np.argsort(np.where(seen > 0, -np.inf, scores), axis=1)[:, -10:]
        return (best == last[:, None]).any(axis=1).mean()

    unit = seen / np.maximum(np.linalg.norm(seen, axis=0), 1e-9)
    neighbours = hit_at_10(seen @ (unit.T @ unit))
    popularity = hit_at_10(np.tile(seen.sum(axis=0), (len(seen), 1)))
    assert neighbours > 0.14
    assert neighbours > 1.7 * popularity


def test_every_product_was_added_before_the_first_shopper_came(items, events):
    first = min(events["at"].to_pylist())
    days = [(first - item["added"]).days for item in items]
    assert min(days) >= 0
    assert np.mean(np.array(days) < 365) > 0.5
    assert len(set(days)) > 100
