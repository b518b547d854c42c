"""Makes the demo data sets: everything in them is made up, by this code, from a seed."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.demo.catalogue import Product, products
from ingestion.demo.drawing import draw
from ingestion.demo.handbook import write_handbook
from ingestion.demo.helpdesk import questions
from ingestion.demo.shoppers import events
from polyloom.durable import publish_folder, read_json, write_json
from polyloom.errors import RequestError, suggestion

STAMP = "made.json"
# Raised whenever the same seed gives other data than before.
EDITION = 2

README = """\
{title}

ALL OF THIS IS MADE UP. The shop, its products, their pictures, the shoppers, the questions and the answers do not
exist. polyloom's own code drew and wrote them (ingestion/demo, seed {seed}), for demonstrations and tests. No real
person, brand, price or conversation stands behind any row, and no result on this data says how good a method is on
real data.

{files}
"""

SHOP_FILES = """\
items.parquet     the products: item_id, title, title_zh, description, price, category, colour, material, series,
                  picture (a path relative to this folder), added (UTC, when it came into the shop)
pictures/         one drawn picture a product, 96 x 96; a few are black and white, a few show a gift box
events.parquet    what the shoppers did: event_id, user_id, item_id, event (view, cart, buy), at (UTC)
"""

SUPPORT_FILES = """\
questions.jsonl   the wordings: question_id, text, language (en, zh), answer_id, topic, answer in the same language;
                  off-topic questions have the topic off_topic, the answer_id none and an empty answer
"""


HANDBOOK_FILES = """\
documents/        what the shop tells its customers, in English and, in zh/, in Chinese: Markdown, HTML, text and PDF
questions.jsonl   questions about them: question_id, text, language (en, zh), document, answers (words that stand in the
                  document); what no document answers has the document none and no answers
"""


def make(name: str, folder: Path, *, seed: int = 7) -> None:
    """Make the data set `name` ("shop", "support" or "handbook") in `folder`: byte for byte the same for the same seed.

    The folder appears complete or not at all. Nothing is done when it holds this data already.

    Raises: RequestError for an unknown name, or when the folder holds anything else.
    """
    if name not in MAKERS:
        raise RequestError(
            f"{name!r} is not a demo data set; there are: {', '.join(MAKERS)}.{suggestion(name, MAKERS)} "
            "`polyloom datasets` lists all data sets."
        )
    stamp = {"name": name, "seed": seed, "edition": EDITION}
    if is_made(folder, stamp=stamp):
        return
    with publish_folder(folder) as draft:
        MAKERS[name](draft, seed)
        write_json(draft / STAMP, stamp)


def is_made(folder: Path, *, stamp: Mapping[str, object]) -> bool:
    """Whether the folder holds the data already; an empty folder is cleared away."""
    if not folder.exists():
        return False
    if (folder / STAMP).is_file():
        found = read_json(folder / STAMP)
        if found == stamp:
            return True
        raise RequestError(f"{folder} holds {found}, not {dict(stamp)}. Remove the folder, or name another one.")
    if not folder.is_dir() or any(folder.iterdir()):
        raise RequestError(f"{folder} is no demo data set and not empty. Remove it, or name another folder.")
    folder.rmdir()
    return False


def make_shop(folder: Path, seed: int) -> None:
    """Products with pictures, and what shoppers did with them."""
    catalogue = list(products(seed=seed))
    (folder / "pictures").mkdir()
    for number, product in enumerate(catalogue):
        save_picture(product, folder=folder, rng=np.random.default_rng([seed, 4, number]))
    pq.write_table(items(catalogue), folder / "items.parquet")
    pq.write_table(events(catalogue, seed=seed), folder / "events.parquet")
    write_readme(folder, title="Demo data: a shop", seed=seed, files=SHOP_FILES)


def save_picture(product: Product, *, folder: Path, rng: np.random.Generator) -> None:
    """Draw a product and save its picture."""
    picture = draw(category=product.category, colour=product.colour, style=product.style, rng=rng)
    picture.save(folder / product.picture, format="PNG")


def items(catalogue: list[Product]) -> pa.Table:
    """The products as a table; how one is pictured is for the picture to tell."""
    rows = [dataclasses.asdict(product) for product in catalogue]
    return pa.table({name: [row[name] for row in rows] for name in rows[0] if name != "style"})


def make_support(folder: Path, seed: int) -> None:
    """The help desk's questions, one JSON object a line."""
    lines = [json.dumps(row, ensure_ascii=False) for row in questions(seed=seed)]
    (folder / "questions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    write_readme(folder, title="Demo data: a shop's help desk", seed=seed, files=SUPPORT_FILES)


def make_handbook(folder: Path, seed: int) -> None:
    """Documents, and questions about them."""
    write_handbook(folder, seed=seed)
    write_readme(folder, title="Demo data: a shop's handbook", seed=seed, files=HANDBOOK_FILES)


def write_readme(folder: Path, *, title: str, seed: int, files: str) -> None:
    """Say beside the data that it is made up."""
    text = README.format(title=title, seed=seed, files=files.strip())
    (folder / "README.txt").write_text(text, encoding="utf-8", newline="\n")


MAKERS: Mapping[str, Callable[[Path, int], None]] = {
    "shop": make_shop,
    "support": make_support,
    "handbook": make_handbook,
}
