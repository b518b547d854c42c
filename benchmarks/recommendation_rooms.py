"""What stands together in a room, for the bench `recommendation`: IKEA products by text, by picture, by both.

A fifth of the rooms is held out. Half of a room's products, drawn at random, is the history; the other half is to be
found among all other products. Nothing is learned but what text and picture count together, on the other rooms.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from benchmarks.figures import Figure
from benchmarks.recommendation_cold import text_vectors
from benchmarks.recommendation_movielens import K, shown, span
from retrieval.recommending.content import make_content
from retrieval.recommending.quality import mean_interval, paired_interval, recall, top_lists

FOLDER, MODEL = "ikea_products", "mobilenetv2_100"
HELD_OUT = 0.2
SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
PICTURES_AT_ONCE = 32
Halves = tuple[sp.csr_matrix, np.ndarray]


def room_figures(data: Path, weights: Path, *, seeds: Sequence[int]) -> list[Figure]:
    """Recall@10 by what is read, the mean over draws of halves, by room."""
    products = read_lines(data / FOLDER / "products.jsonl")
    rooms = read_lines(data / FOLDER / "rooms.jsonl")
    fields = {"text": text_vectors([described(one) for one in products]), "picture": pictures(data, products, weights)}
    ways = {name: make_content({name: vectors}) for name, vectors in fields.items()}
    found: dict[str, list[np.ndarray]] = {name: [] for name in (*fields, "both", "chance")}
    shares = []
    for seed in seeds:
        test, rest = split(rooms, products, seed=seed)
        shares.append(best_share({name: model.scores(rest[0]) for name, model in ways.items()}, rest))
        scores = {name: model.scores(test[0]) for name, model in ways.items()}
        scores["both"] = mixed(scores, share=shares[-1])
        scores["chance"] = np.random.default_rng(seed).random(test[0].shape)
        for name, own in scores.items():
            found[name].append(found_again(own, test))
    values = {name: np.concatenate(own) for name, own in found.items()}
    figures = []
    for name, own in values.items():
        words = f"{len(own)} rooms in {len(seeds)} draws, {span(mean_interval(own))}"
        figures.append(shown(f"rooms, {name}: recall@10, {words}", own.mean()))
    for name in ("text", "picture"):
        gain = paired_interval(values["both"], values[name])
        figures.append(shown(f"rooms, both over {name}: recall@10, {span(gain)}", gain.mean))
    return [*figures, shown("rooms, what the picture counts beside the text", float(np.mean(shares)))]


def split(rooms: Sequence[Mapping[str, Any]], products: Sequence[Mapping[str, Any]], *, seed: int) -> list[Halves]:
    """Histories and what is to be found [rooms, products], of rooms held out, then of the others.

    Photos of one room that show the same products are one room.
    """
    numbers = {one["article"]: number for number, one in enumerate(products)}
    shown_in = sorted({tuple(sorted(numbers[article] for article in room["articles"])) for room in rooms})
    shown_in = [own for own in shown_in if len(own) > 1]
    random = np.random.default_rng(seed)
    order = random.permutation(len(shown_in))
    count = round(HELD_OUT * len(order))
    parts = []
    for chosen in (order[:count], order[count:]):
        histories = np.zeros((len(chosen), len(products)), np.float32)
        relevant = np.zeros(histories.shape, dtype=bool)
        for row, room in enumerate(chosen):
            own = random.permutation(shown_in[room])
            histories[row, own[: len(own) // 2]] = 1
            relevant[row, own[len(own) // 2 :]] = True
        parts.append((sp.csr_matrix(histories), relevant))
    return parts


def found_again(scores: np.ndarray, halves: Halves) -> np.ndarray:
    """Each room's recall@10."""
    histories, relevant = halves
    return recall(top_lists(scores, k=K, left_out=histories), relevant)


def best_share(scores: Mapping[str, np.ndarray], halves: Halves) -> float:
    """What the picture counts beside the text, by recall on these rooms."""
    return max(SHARES, key=lambda share: float(found_again(mixed(scores, share=share), halves).mean()))


def mixed(scores: Mapping[str, np.ndarray], *, share: float) -> np.ndarray:
    """Both models' scores [rooms, products], each row of either over its deviation."""
    level = {name: own / own.std(axis=1, keepdims=True) for name, own in scores.items()}
    return np.asarray((1 - share) * level["text"] + share * level["picture"])


def described(product: Mapping[str, Any]) -> str:
    """A product's text."""
    return ". ".join(str(product[key]) for key in ("name", "type", "color", "description") if product.get(key))


def pictures(data: Path, products: Sequence[Mapping[str, Any]], weights: Path) -> np.ndarray:
    """Pooled features [products, dim] of the photos, by MobileNetV2 as a scenario has it."""
    import torch

    from modalities.encoders.picture import build_picture_encoder, picture_preparation

    prepare = picture_preparation(model=MODEL, column="picture", size=None, weights=str(weights))
    encoder = build_picture_encoder(model=MODEL, weights=str(weights)).eval()
    found = []
    with torch.inference_mode():
        for begin in range(0, len(products), PICTURES_AT_ONCE):
            paths = [str(data / FOLDER / one["picture"]) for one in products[begin : begin + PICTURES_AT_ONCE]]
            (pixels,) = prepare(paths).values()
            found.append(encoder(torch.from_numpy(pixels)).pooled.numpy())
    return np.concatenate(found)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
