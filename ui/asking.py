"""What pages ask a release: predictions, why these are so, and search."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flows.heat import LEAST_SIDE
from heads.answers import Answer
from heads.explanation import Explanation
from ingestion.pictures import picture_refusal
from modalities.preparation.categories import CategoryPreparation
from modalities.preparation.numbers import NumberPreparation
from modalities.preparation.pair import PairPreparation
from modalities.preparation.pictures import PicturePreparation
from polyloom.errors import RequestError
from releases.explaining import explain as explain_row
from releases.found import Hit, Wishes
from releases.runtime import Runtime
from retrieval.facets import COUNTED

LONG_CHARACTERS = 48
LISTED_ITEMS = 1000
COUNTED_COLUMNS, SHOWN_VALUES = 2, 8


@dataclass(frozen=True)
class Choice:
    """A category column and the values that training saw."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Inputs:
    """What a release reads. `pair` are the columns of a question and of the context that answers it."""

    text: bool
    image: bool
    numbers: tuple[str, ...]
    categories: tuple[Choice, ...]
    pair: tuple[str, ...] = ()


@dataclass(frozen=True)
class Predicted:
    """Answers by task, the modalities that were not given, and the seconds it took."""

    answers: dict[str, Answer]
    missing: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Item:
    """One item of an index, for a list to choose from."""

    id: str
    title: str


class Marked(NamedTuple):
    """A text, and stretches of it, the end exclusive."""

    text: str
    spans: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True)
class Found:
    """One hit as a card: `body` long texts, `facts` short values, `why` how each ranking ranked it.

    Of title and texts it is said which characters stand for a word of the question.
    """

    id: str
    title: Marked
    body: tuple[Marked, ...]
    facts: tuple[tuple[str, str], ...]
    why: tuple[str, ...]
    picture: Path | None


@dataclass(frozen=True)
class Results:
    """A page of hits, best first, and the seconds that the search took; `pictured` when the index has a picture column.

    `counts` are, by column, how often values stand among what was found.
    """

    found: tuple[Found, ...]
    seconds: float
    pictured: bool
    counts: dict[str, list[tuple[str, int]]]


def inputs_of(runtime: Runtime) -> Inputs:
    """What can be given to a release."""
    given = runtime.preparations.values()
    kinds = {each.kind for each in given}
    return Inputs(
        text=bool(kinds & {"text", "marked", "entailment", "characters"}),
        image="image" in kinds,
        numbers=tuple(name for each in given if isinstance(each, NumberPreparation) for name in each.columns),
        categories=tuple(
            Choice(column, values)
            for each in given
            if isinstance(each, CategoryPreparation)
            for column, values in each.values.items()
        ),
        pair=next((each.columns for each in given if isinstance(each, PairPreparation)), ()),
    )


def check_picture(image: bytes | None) -> None:
    """Raises RequestError when this is no picture that can be used; nothing is no picture, and well."""
    refusal = None if image is None else picture_refusal(image)
    if refusal is not None:
        raise RequestError(f"This picture cannot be used: {refusal.message}")


def predict(
    runtime: Runtime, *, text: str | None, image: bytes | None, columns: Mapping[str, object], top: int = 5
) -> Predicted:
    """Answers for words, a picture and column values, of which some may be missing.

    Raises RequestError when there is nothing to answer from.
    """
    row = _row(runtime, text=text, image=image, columns=columns)
    begun = time.perf_counter()
    answer = runtime.predict([row], top=top)[0]
    return Predicted(answers=answer.answers, missing=answer.missing, seconds=time.perf_counter() - begun)


def explain(
    runtime: Runtime, *, text: str | None, image: bytes | None, columns: Mapping[str, object]
) -> dict[str, Explanation]:
    """Why a release answers so, by task. Raises RequestError when none of its tasks can be explained."""
    return explain_row(runtime, _row(runtime, text=text, image=image, columns=columns))


def seen_picture(runtime: Runtime, modality: str, image: bytes) -> np.ndarray:
    """The square of a picture that a modality's encoder sees, uint8 [size, size, 3], large enough for people."""
    preparation = runtime.preparations[modality]
    assert isinstance(preparation, PicturePreparation)
    return np.asarray(preparation.resized(max(preparation.size, LEAST_SIDE)).decode([image])[0])


def search(
    runtime: Runtime,
    *,
    text: str | None = None,
    image: bytes | None = None,
    like: str | None = None,
    k: int = 12,
    page: int = 1,
    where: str = "",
) -> Results:
    """A page of the best items. Raises RequestError, and FilterError for a filter that cannot be understood."""
    check_picture(image)
    columns, shown = runtime.facts["index"]["columns"], runtime.facts["index"]["show"]
    counted = [name for name in shown if columns.get(name) in COUNTED]
    wishes = Wishes(k=k, page=page, where=where.strip() or None, facets=counted[:COUNTED_COLUMNS])
    begun = time.perf_counter()
    found = runtime.find(wishes, text=text, image=image, like=like)
    seconds = time.perf_counter() - begun
    return Results(
        found=tuple(found_of(runtime, hit) for hit in found.hits),
        seconds=seconds,
        pictured=bool(runtime.facts["index"]["image"]),
        counts={
            name: [(one.value, one.count) for one in counts[:SHOWN_VALUES]] for name, counts in found.facets.items()
        },
    )


def items_of(runtime: Runtime) -> tuple[Item, ...]:
    """The first items of an index."""
    title = runtime.facts["index"]["show"][0]
    rows = runtime.items().select(["_key", title]).slice(0, LISTED_ITEMS).to_pylist()
    return tuple(Item(id=row["_key"], title=str(row[title] or row["_key"])) for row in rows)


def filter_example(runtime: Runtime) -> str:
    """A filter that fits this index's columns, out of its own values."""
    items, columns = runtime.items(), runtime.facts["index"]["columns"]
    parts = [_example_part(items, name, kind) for name, kind in columns.items() if name in items.column_names]
    return " AND ".join([part for part in parts if part][:2])


def _row(
    runtime: Runtime, *, text: str | None, image: bytes | None, columns: Mapping[str, object]
) -> dict[str, object]:
    check_picture(image)
    values = {name: value for name, value in columns.items() if value is not None}
    asked = bool(text and text.strip()) or image is not None
    return {**(runtime.row(text=text, image=image) if asked or not values else {}), **values}


def _example_part(items: pa.Table, name: str, kind: str) -> str:
    known = items[name].drop_null()
    if not len(known):
        return ""
    if kind == "number":
        return f"{name} < {round(pc.quantile(known, q=0.75)[0].as_py()) or 1}"
    if kind == "category":
        return f"{name} = '{str(known[0].as_py()).replace(chr(39), chr(39) * 2)}'"
    return ""


def found_of(runtime: Runtime, hit: Hit) -> Found:
    """A hit as a card."""
    known = [(name, value) for name, value in hit.row.items() if value is not None and value != ""]
    others = known[1:]
    texts = [_marked(hit, name, value) for name, value in others if _is_long(runtime, name, value)]
    facts = [(name, _shown(value)) for name, value in others if not _is_long(runtime, name, value)]
    return Found(
        id=hit.id,
        title=_marked(hit, *known[0]) if known else Marked(hit.id),
        body=tuple(texts),
        facts=tuple(facts),
        why=tuple(_why(hit, name, rank) for name, rank in hit.ranks.items()),
        picture=runtime.picture(hit.image) if hit.image else None,
    )


def _marked(hit: Hit, name: str, value: object) -> Marked:
    """A column's value, with what of it was asked for."""
    return Marked(str(value), hit.highlights.get(name, ()))


def _is_long(runtime: Runtime, name: str, value: object) -> bool:
    is_text = runtime.facts["index"]["columns"].get(name, "text") == "text"
    return isinstance(value, str) and (is_text or len(value) > LONG_CHARACTERS)


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}".removesuffix(".00")
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _why(hit: Hit, name: str, rank: int) -> str:
    """What one ranking says of a hit."""
    said = f"cosine {hit.cosines[name]:.2f}" if name in hit.cosines else ", ".join(hit.terms)
    return f"{name}: rank {rank}, {said}"
