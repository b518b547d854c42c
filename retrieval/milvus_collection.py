"""A collection in Milvus that holds an index, opened for its encoders, and what is read from it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from polyloom.errors import IntegrityError
from retrieval.items import Field
from retrieval.kinds import Kind
from retrieval.milvus_connection import MilvusConnection
from retrieval.milvus_schema import ID, LONGEST, MESSAGE, PROPERTY

# So many items are named in one request: at their longest they fit into its answer.
NAMED = MESSAGE // LONGEST


@dataclass(frozen=True)
class MilvusCollection:
    """An opened collection; `fields` and `kind` are those that it was made with."""

    connection: MilvusConnection
    name: str
    fields: Mapping[str, Field]
    kind: Kind | None

    def count(self) -> int:
        """How many items there are."""
        with self.connection.asked() as client:
            return int(client.query(self.name, filter="", output_fields=["count(*)"])[0]["count(*)"])

    def listed(self, columns: Sequence[str], *, lot: int) -> Iterator[dict[str, Any]]:
        """These columns of all items, `lot` items a message."""
        with self.connection.asked() as client:
            pages = client.query_iterator(self.name, batch_size=lot, filter="", output_fields=list(columns))
            try:
                while page := pages.next():
                    yield from page
            finally:
                pages.close()

    def found(self, ids: Sequence[str], columns: Sequence[str], *, condition: str = "") -> list[dict[str, Any]]:
        """These columns of the items among `ids` that are there and meet a condition."""
        rows: list[dict[str, Any]] = []
        for begin in range(0, len(ids), NAMED):
            chosen = among(ids[begin : begin + NAMED])
            both = f"{condition} and {chosen}" if condition else chosen
            with self.connection.asked() as client:
                rows += client.query(self.name, filter=both, output_fields=list(columns))
        return rows

    def delete(self, ids: Sequence[str]) -> None:
        """Take out items that are there."""
        for begin in range(0, len(ids), NAMED):
            with self.connection.asked() as client:
                client.delete(self.name, filter=among(ids[begin : begin + NAMED]))


def opened(connection: MilvusConnection, name: str, *, encoders: Mapping[str, str]) -> MilvusCollection:
    """The collection of a name, ready to be searched.

    Raises: IntegrityError when there is no index, or when it belongs to other encoders.
    """
    with connection.asked() as client:
        if not client.has_collection(name):
            raise IntegrityError(f"Milvus at {connection.place} has no collection {name!r}. Create it first.")
        fields, kind = recorded(client.describe_collection(name), name, place=connection.place)
        check_encoders(f"the collection {name!r} of Milvus at {connection.place}", fields, encoders)
        client.load_collection(name)
    return MilvusCollection(connection, name, fields, kind)


def recorded(description: Mapping[str, Any], name: str, *, place: str) -> tuple[dict[str, Field], Kind | None]:
    """The fields and the kind that a collection was made with. Raises: IntegrityError where that is not kept."""
    try:
        facts = json.loads(description["properties"][PROPERTY])
        return {field: Field(**given) for field, given in facts["fields"].items()}, facts["kind"]
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise IntegrityError(
            f"The collection {name!r} of Milvus at {place} does not say which encoders it belongs to: its property "
            f"{PROPERTY!r} is missing or was changed. Create an index under another name."
        ) from error


def check_encoders(where: str, fields: Mapping[str, Field], encoders: Mapping[str, str]) -> None:
    """Raises: IntegrityError unless the index belongs to these encoders by field, and to no other."""
    for name in {**fields, **encoders}:
        held = fields[name].encoder_digest if name in fields else "no encoder"
        given = encoders.get(name, "none")
        if held != given:
            raise IntegrityError(
                f"The index in {where} belongs, in {name!r}, to the encoder {held}, the query to {given}. "
                "Embed the items again with the query's encoder, or open the release that holds both."
            )


def among(ids: Sequence[str]) -> str:
    """The condition that an item is one of these."""
    return f"{ID} in [{', '.join(map(quoted, ids))}]"


def quoted(text: str) -> str:
    """Text as a literal of Milvus' filters."""
    for raw, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(raw, escaped)
    return f'"{text}"'
