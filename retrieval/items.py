"""What is put into an index: items with their vectors in one or several fields, their columns and their words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from polyloom.errors import DataError, RequestError
from retrieval.metrics import METRICS, Metric, stored
from retrieval.vectors import unique_ids

FIELD_NAME = re.compile(r"[\w-]+")


@dataclass(frozen=True)
class Field:
    """A space of vectors: embeddings of one encoder, with so many dimensions, compared by one measure."""

    encoder_digest: str
    dim: int
    metric: Metric = "cosine"


@dataclass(frozen=True)
class Items:
    """Items in one order: ids, vectors [items, dim] by field, and what else is known of them.

    `present` says by field which items have a vector there, bool [items], where not all do. `rows` are their columns,
    `texts` the words that they are found by.
    """

    ids: Sequence[str]
    vectors: Mapping[str, np.ndarray]
    present: Mapping[str, np.ndarray] = field(default_factory=dict)
    rows: pa.Table | None = None
    texts: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.ids)


def checked(items: Items, *, fields: Mapping[str, Field], keyword: bool) -> Items:
    """Items as an index keeps them: float32, at length one where the direction counts, zeros where nothing is.

    Raises: DataError for ids that stand more than once, a vector that is NaN, infinite, of another dim or, under
    `cosine`, zero, and for fields, columns or words that are too many or too few.
    """
    ids = unique_ids(items.ids, count=len(items.ids))
    if set(items.vectors) != set(fields):
        raise DataError(f"The items have vectors of {sorted(items.vectors)}, the index holds {sorted(fields)}.")
    if keyword != (items.texts is not None):
        raise DataError(
            "The index is searched by words: give each item's text."
            if keyword
            else "The index is not searched by words: leave texts out, or make it with keyword=True."
        )
    for what, given in (("texts", items.texts), ("rows", items.rows)):
        if given is not None and len(given) != len(ids):
            raise DataError(f"There are {len(given)} {what} for {len(ids)} items; each item needs one.")
    masks = {name: mask for name in fields if not (mask := mask_of(items, name)).all()}
    vectors = {name: vectors_of(items, name, given, masks.get(name)) for name, given in fields.items()}
    return Items(ids=ids, vectors=vectors, present=masks, rows=items.rows, texts=items.texts)


def mask_of(items: Items, name: str) -> np.ndarray:
    """Which items have a vector in a field, bool [items]."""
    mask = np.asarray(items.present.get(name, np.ones(len(items), bool)))
    if mask.dtype != np.bool_ or mask.shape != (len(items),):
        raise DataError(f"present[{name!r}] is {mask.dtype} {list(mask.shape)}; it must be bool [{len(items)}].")
    return mask


def vectors_of(items: Items, name: str, field: Field, mask: np.ndarray | None) -> np.ndarray:
    """The vectors of one field."""
    given = np.asarray(items.vectors[name])
    if len(given) != len(items):
        raise DataError(f"There are {len(items)} ids for {len(given)} vectors of {name!r}; each item needs one.")
    known = np.arange(len(items)) if mask is None else np.flatnonzero(mask)
    result = np.zeros((len(items), field.dim), np.float32)
    if not len(known):
        return result
    real = stored(
        given if mask is None else given[mask], metric=field.metric, name=lambda row: repr(items.ids[known[row]])
    )
    if real.shape[1] != field.dim:
        raise DataError(
            f"The vectors of {name!r} have {real.shape[1]} dimensions, the index {field.dim}. Encode them with the "
            "index's own encoder."
        )
    if mask is None:
        return real
    result[mask] = real
    return result


def joined(several: Sequence[Items]) -> Items:
    """Checked items of several lots in one, in their order."""
    first = several[0]
    return Items(
        ids=[id_ for one in several for id_ in one.ids],
        vectors={name: np.concatenate([one.vectors[name] for one in several]) for name in first.vectors},
        present={
            name: np.concatenate([mask_of(one, name) for one in several])
            for name in first.vectors
            if any(name in one.present for one in several)
        },
        rows=None if first.rows is None else pa.concat_tables([one.rows for one in several if one.rows is not None]),
        texts=None if first.texts is None else [text for one in several for text in one.texts or ()],
    )


def check_fields(fields: Mapping[str, Field]) -> None:
    """Raises: RequestError for a field that cannot be."""
    for name, given in fields.items():
        if given.metric not in METRICS or given.dim < 1 or not FIELD_NAME.fullmatch(name):
            raise RequestError(
                f"A field {name!r} of metric {given.metric!r} and {given.dim} dimensions cannot be: a name is of "
                f"letters, digits, _ and -, metrics are {', '.join(METRICS)}, and there is at least one dimension."
            )
