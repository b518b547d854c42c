"""A table made from the folder `ikea_products`: each product with the head noun of what it is.

A product's `type` is a noun phrase: "Chest of 3 drawers", "Box with lid, in,outdoor". Its head noun, `chest` and
`box`, is what a picture or a description can tell; the whole phrase, which the catalogue has 443 of, seldom is.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from polyloom.errors import DataError

SOURCE = "products.jsonl"
TABLE = "products.parquet"
TEXT_COLUMNS = ("color", "size", "description")
LEAST_ROWS = 12
# What follows one of these, or a number, says more about the head noun: "with lid", "for 3 candles", "2 door".
AFTER_THE_HEAD = r"\s(?:with|w|for|of|and|in|on|to|from|incl|\d+)\b"


def write_head_nouns(products: Path, folder: Path, *, least_rows: int = LEAST_ROWS) -> None:
    """Write `products.parquet`: key, name, noun, colour, size, description and picture (the file's bytes).

    Products whose head noun fewer than `least_rows` have are left out. Texts are as in the catalogue: four of ten say
    the head noun somewhere, as a shop's texts do. Raises DataError where `products` is not the folder it should be.
    """
    rows = [json.loads(line) for line in _lines(products / SOURCE)]
    nouns = [head_noun(row["type"]) for row in rows]
    counts = Counter(nouns)
    kept = [(row, noun) for row, noun in zip(rows, nouns, strict=True) if noun and counts[noun] >= least_rows]
    columns: dict[str, Sequence[object]] = {
        "article": [row["article"] for row, _ in kept],
        "name": [row["name"] for row, _ in kept],
        "noun": [noun for _, noun in kept],
        **{column: [row[column] or None for row, _ in kept] for column in TEXT_COLUMNS},
        "picture": [(products / row["picture"]).read_bytes() for row, _ in kept],
    }
    pq.write_table(pa.table(columns), folder / TABLE, compression="zstd")


def head_noun(phrase: str) -> str:
    """The head of an English noun phrase, in the singular, lower case; an empty string where there is no word.

    The last word before a comma, a preposition or a number: "Quilt cover and 2 pillowcases" gives `cover`.
    """
    first = phrase.lower().split(",")[0]
    words = re.findall(r"[a-z][a-z-]*", re.split(AFTER_THE_HEAD, first)[0])
    return singular(words[-1]) if words else ""


def singular(noun: str) -> str:
    """`curtains` to `curtain`; `glass` stays."""
    return noun[:-1] if noun.endswith("s") and not noun.endswith("ss") else noun


def without_noun(text: str, noun: str) -> str:
    """The text without any word that holds the noun: `bookcases` goes with `case`, `lampshade` with `lamp`."""
    return " ".join(re.sub(rf"[\w-]*{re.escape(noun)}[\w-]*", " ", text, flags=re.IGNORECASE).split())


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise DataError(f"{path} is not there. The head nouns are made from the folder ikea_products with {SOURCE}.")
    return path.read_text(encoding="utf-8").splitlines()
