"""How an index looks as a collection in Milvus: its columns, its indexes, and the record of its encoders."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from retrieval.items import Field
from retrieval.kinds import BUILD_BREADTH, LINKS, Kind, Reach, parts

PROPERTY = "polyloom.index"
ID, ROW, TEXT = "id", "row", "text"
# What Milvus takes: bytes of a text or a row, hits of a query; and a part of a message's 64 MB that leaves room.
LONGEST, MOST_HITS, MESSAGE = 65_535, 16_384, 16_000_000
METRICS = {"cosine": "COSINE", "inner_product": "IP", "l2": "L2"}
# Lists that suit a hundred thousand items; Milvus cuts a larger collection into segments, each with its own.
LISTS = 1024


def create(client: Any, types: Any, collection: str, *, fields: Mapping[str, Field], kind: Kind | None) -> None:
    """Make an empty collection; `types` are pymilvus' data types."""
    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field(ID, types.VARCHAR, is_primary=True, max_length=LONGEST)
    schema.add_field(ROW, types.JSON)
    schema.add_field(TEXT, types.VARCHAR, max_length=LONGEST)
    indexes = client.prepare_index_params()
    for name, field in fields.items():
        schema.add_field(column(name), types.FLOAT_VECTOR, dim=field.dim)
        schema.add_field(presence(name), types.BOOL)
        how = build_parameters(kind, dim=field.dim)
        measure = METRICS[field.metric]
        indexes.add_index(column(name), index_type=index_type(kind), metric_type=measure, params=how)
    kept = {PROPERTY: record(fields, kind)}
    client.create_collection(
        collection, schema=schema, index_params=indexes, properties=kept, consistency_level="Strong"
    )


def record(fields: Mapping[str, Field], kind: Kind | None) -> str:
    """What is kept with a collection: the encoder, the dimensions and the measure of each field."""
    return json.dumps({"fields": {name: asdict(field) for name, field in fields.items()}, "kind": kind})


def column(field: str) -> str:
    """The column of a field's vectors; Milvus knows Latin letters, digits and underscores alone."""
    plain = (letter if letter.isascii() and letter.isalnum() else f"_{ord(letter):x}_" for letter in field)
    return f"vector_{''.join(plain)}"


def presence(field: str) -> str:
    """The column that says whether an item has a vector in a field."""
    return f"has_{column(field)}"


def index_type(kind: Kind | None) -> str:
    """Milvus' name of a kind; None lets Milvus choose."""
    return "AUTOINDEX" if kind is None else kind.upper()


def build_parameters(kind: Kind | None, *, dim: int) -> dict[str, int]:
    """How an index of a kind is built."""
    if kind == "hnsw":
        return {"M": LINKS, "efConstruction": BUILD_BREADTH}
    if kind == "ivf_pq":
        return {"nlist": LISTS, "m": parts(dim), "nbits": 8}
    return {"nlist": LISTS} if kind in {"ivf_flat", "ivf_sq8"} else {}


def search_parameters(kind: Kind | None, reach: Reach, *, hits: int) -> dict[str, int]:
    """How far a search for so many hits looks."""
    if kind == "hnsw":
        return {"ef": max(reach.breadth, hits)}
    return {"nprobe": reach.lists} if kind in {"ivf_flat", "ivf_sq8", "ivf_pq"} else {}
