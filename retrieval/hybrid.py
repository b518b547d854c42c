"""What vectors and words each say of one query's candidates, before the two are joined."""

from collections.abc import Iterable

import numpy as np

from retrieval.field_search import FieldSearch
from retrieval.joining import Judged
from retrieval.milvus_field import MilvusField
from retrieval.snapshot import Snapshot
from retrieval.vectors import DECIMALS
from retrieval.words import terms


def cosines_of(field: FieldSearch | MilvusField, query: np.ndarray, ids: Iterable[str]) -> dict[str, float]:
    """The cosines of a query [dim] of any length to those of the items that have a vector in the field."""
    unit = query / np.linalg.norm(query)
    return {item: round(float(vector @ unit), DECIMALS) for item, vector in field.vectors(list(ids)).items()}


def judged(
    snapshot: Snapshot, name: str, *, query: np.ndarray, words: str, relevant: Iterable[str], depth: int
) -> Judged:
    """A held-out query as `learn_share` takes it: the `depth` best by the field and by words, with both scores."""
    field = snapshot.field(name)
    held: dict[str, float] = {}
    if snapshot.keywords is not None and terms(words):
        held = dict(snapshot.keywords.search(words, depth))
    cosines: dict[str, float] = {}
    if np.any(query):
        found = field.search(query[None], depth)
        cosines = dict(zip(found.ids[0], found.scores[0], strict=True))
        cosines |= cosines_of(field, query, [item for item in held if item not in cosines])
    return Judged(cosines=cosines, keyword=held, relevant=frozenset(relevant))
