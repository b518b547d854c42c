"""Milvus behind the methods of `retrieval.live`: for items that outgrow one machine, or that others read as well.

What differs from an index on disk: no state stays as it was, for a change is seen at once by all who have the
collection open; much is written in several steps, which may be repeated; items stand in the order of their ids; and
nothing is searched by words. Scores are the same, to the sixth decimal.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from polyloom.errors import DataError, IntegrityError, RequestError
from retrieval.items import Field, Items, check_fields, checked
from retrieval.kinds import KINDS, Kind
from retrieval.milvus_collection import MilvusCollection, opened, recorded
from retrieval.milvus_connection import MilvusConnection, connect, is_embedded, milvus
from retrieval.milvus_index import MilvusIndex
from retrieval.milvus_items import lots
from retrieval.milvus_schema import ID, MOST_HITS, create

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")


def create_index(uri: str, collection: str, *, fields: Mapping[str, Field], kind: Kind | None = None) -> None:
    """An empty index in Milvus at `uri`: a path that ends in .db, or http://host:port. Without a kind Milvus chooses.

    Raises: RequestError for settings that there are not, DataError when there is such a collection already.
    """
    check_fields(fields)
    if not fields or (kind is not None and kind not in KINDS) or not NAME.fullmatch(collection):
        raise RequestError(
            f"A collection {collection!r} of kind {kind!r} with {len(fields)} fields cannot be: a name is of Latin "
            f"letters, digits and _, kinds are {', '.join(KINDS)}, and there is at least one field."
        )
    if kind == "ivf_pq" and is_embedded(uri):
        raise RequestError(f"The embedded edition of Milvus has no {kind}; choose ivf_sq8, or a server.")
    connection = connect(uri)
    try:
        create_collection(connection, collection, fields=fields, kind=kind)
    finally:
        connection.close()


def open_index(uri: str, collection: str, *, encoders: Mapping[str, str]) -> MilvusIndex:
    """The index in a collection, for queries of these encoders by field.

    Raises: IntegrityError when there is none, or when it belongs to other encoders.
    """
    return MilvusIndex(open_collection(uri, collection, encoders=encoders))


def open_writer(uri: str, collection: str, *, encoders: Mapping[str, str]) -> "MilvusWriter":
    """What changes the index in a collection. Raises: as `open_index` does."""
    return MilvusWriter(open_collection(uri, collection, encoders=encoders))


class MilvusWriter:
    """Changes a collection; to be closed, or used in a `with` statement."""

    def __init__(self, collection: MilvusCollection) -> None:
        self._collection = collection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._collection.connection.close()

    def upsert(self, items: Items) -> None:
        """Put items in, in the place of those of the same ids. Their texts are kept to be read, not searched.

        Raises: DataError for what `retrieval.live` refuses, and for what is too long for Milvus; then nothing changed.
        """
        items = checked(items, fields=self._collection.fields, keyword=items.texts is not None)
        for lot in lots(items):
            with self._collection.connection.asked() as client:
                client.upsert(self._collection.name, lot)

    def delete(self, ids: Sequence[str]) -> int:
        """Take items out; gives how many of them were there."""
        there = [row[ID] for row in self._collection.found(list(dict.fromkeys(ids)), [ID])]
        self._collection.delete(there)
        return len(there)

    def compact(self) -> None:
        """Let Milvus index what was written lately, so that it is found as fast as the rest."""
        with self._collection.connection.asked() as client:
            client.flush(self._collection.name)

    def verify(self) -> int:
        """How many items there are. Raises: IntegrityError when Milvus counts others than it lists."""
        count = self._collection.count()
        listed = len({row[ID] for row in self._collection.listed([ID], lot=MOST_HITS // 2)})
        if count != listed:
            raise IntegrityError(
                f"Milvus at {self._collection.connection.place} counts {count} items in {self._collection.name!r} and "
                f"lists {listed}. Ask again while nobody writes; if they differ still, build the collection again."
            )
        return count


def create_collection(
    connection: MilvusConnection, name: str, *, fields: Mapping[str, Field], kind: Kind | None
) -> None:
    """Make a collection, and see that Milvus kept what it belongs to."""
    with connection.asked() as client:
        if client.has_collection(name):
            raise DataError(
                f"Milvus at {connection.place} has a collection {name!r} already. Open it, or name another."
            )
        create(client, milvus(connection.uri).DataType, name, fields=fields, kind=kind)
        recorded(client.describe_collection(name), name, place=connection.place)


def open_collection(uri: str, name: str, *, encoders: Mapping[str, str]) -> MilvusCollection:
    """A collection over a connection of its own, which is closed again where it is refused."""
    if is_embedded(uri) and not Path(uri).exists():
        raise IntegrityError(f"{uri} is missing: there is no index here. Create it first.")
    connection = connect(uri)
    try:
        return opened(connection, name, encoders=encoders)
    except BaseException:
        connection.close()
        raise
