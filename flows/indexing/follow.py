"""A new champion with the encoders of the one before: the changing index takes over what it was sealed with."""

from dataclasses import replace

import numpy as np

from flows.indexing.changes import changes
from flows.indexing.place import SNAPSHOT, IndexPlace
from retrieval.items import Items
from retrieval.live import open_index


def follow(place: IndexPlace, *, snapshot: str) -> int | None:
    """Bring the changing index in step with the sealed one, whose vectors are taken as they are.

    Gives the new state's number; None where there is no changing index, which then need not follow. In Milvus there is
    one from the first champion on.
    """
    if not place.is_live and place.milvus is None:
        return None
    writer = place.writer()
    sealed = open_index(place.sealed, encoders=place.encoders, trusted=True)
    found = changes(sealed.table(), place.open())
    items = picked(sealed.items(), found.rows) if len(found.rows) else None
    return writer.upsert(items, removed=found.gone, note={SNAPSHOT: snapshot})


def picked(items: Items, rows: np.ndarray) -> Items:
    """Some of the items, by their numbers."""
    return replace(
        items,
        ids=[items.ids[row] for row in rows.tolist()],
        vectors={name: given[rows] for name, given in items.vectors.items()},
        present={name: mask[rows] for name, mask in items.present.items()},
        rows=None if items.rows is None else items.rows.take(rows),
        texts=None if items.texts is None else [items.texts[row] for row in rows.tolist()],
    )
