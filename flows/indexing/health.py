"""How an index is: what it holds, what it takes, what it overlooks, and what is done about that."""

from collections.abc import Mapping
from typing import Any

from flows.indexing.place import SNAPSHOT, IndexPlace, index_place
from flows.indexing.update import sealed_snapshot
from polyloom.durable import read_json
from polyloom.progress import Progress
from releases.live_index import recall_log
from releases.runtime import Runtime
from retrieval.items import Field
from retrieval.milvus_connection import shown
from retrieval.milvus_field import MilvusField
from retrieval.milvus_live import PlacedIndex, read_placed
from retrieval.state import SEGMENTS, read_state

Result = dict[str, Any]
# Taken out, but still there to be passed over: a search loses speed, and the disk keeps what was to go.
MUCH_REMOVED = 0.2


def status(runtime: Runtime) -> Result:
    """What a release's index is, for people and machines."""
    place = index_place(runtime)
    if place.is_live and place.milvus:
        return status_in_milvus(runtime, place, place.milvus)
    state = read_state(place.present)
    removed = sum(part.removed for part in state.parts)
    held = sum(part.count for part in state.parts)
    return {
        **facts(runtime, place, number=state.number, count=state.count, note=state.note),
        "folder": str(place.present),
        "removed_share": round(removed / held, 4) if held else 0.0,
        "fields": {name: field_facts(place, name, field, kinds(place, name)) for name, field in state.fields.items()},
        "words": state.keyword,
        "parts": [part_facts(place, part.name, part.count, part.removed) for part in state.parts],
    }


def status_in_milvus(runtime: Runtime, place: IndexPlace, address: str) -> Result:
    """The same of an index in Milvus, which keeps what it is made of to itself."""
    placed = read_placed(place.live)
    with PlacedIndex(placed, encoders=place.encoders) as index:
        kind = index.kind or "of Milvus' choice"
        return {
            **facts(runtime, place, number=index.number, count=index.count, note=index.note),
            "folder": f"{shown(address)}, collection {placed.collection}",
            "removed_share": 0.0,
            "fields": {name: field_facts(place, name, index.field(name), [kind]) for name in index.fields},
            "words": False,
            "parts": [],
        }


def facts(runtime: Runtime, place: IndexPlace, *, number: int, count: int, note: Mapping[str, str]) -> Result:
    """What there is to say of any index."""
    return {
        "scenario": runtime.name,
        "release": runtime.digest,
        "changed_since_release": place.is_live,
        "state": number,
        "items": count,
        "snapshot": note.get(SNAPSHOT, sealed_snapshot(runtime)),
    }


def field_facts(place: IndexPlace, name: str, field: Field | MilvusField, of_kinds: list[str]) -> Result:
    """A field's line."""
    recalls = recall_log(place.live).recent()
    return {
        "dim": field.dim,
        "metric": field.metric,
        "encoder_digest": field.encoder_digest,
        "kinds": of_kinds,
        "recall_at_k": round(recalls[name].mean, 4) if name in recalls else None,
        "repeated_queries": recalls[name].queries if name in recalls else 0,
    }


def tend(runtime: Runtime, *, progress: Progress) -> str | None:
    """Rebuild an index that overlooks too much, compact one much of which was taken out; says why, None for neither.

    Milvus tends its own.
    """
    place = index_place(runtime)
    if not place.is_live or place.milvus:
        return None
    least = float(runtime.facts["index"].get("recall", 0.0))
    log = recall_log(place.live)
    poor = {name: found.mean for name, found in log.recent().items() if found.is_known and found.mean < least}
    if poor:
        why = ", ".join(f"recall of {name} {mean:.3f}, below {least:g}" for name, mean in poor.items())
        with progress.stage("rebuild", total=None, unit="items") as bar:
            bar.say(why)
            place.writer().rebuild()
        log.clear()
        return why
    state = read_state(place.live)
    removed, held = sum(part.removed for part in state.parts), sum(part.count for part in state.parts)
    if held and removed / held > MUCH_REMOVED:
        place.writer().compact()
        return f"{removed / held:.0%} had been taken out"
    return None


def kinds(place: IndexPlace, field: str) -> list[str]:
    """The kinds of a field's parts, each once."""
    records = [
        read_json(place.present / SEGMENTS / part.name / "segment.json") for part in read_state(place.present).parts
    ]
    return list(dict.fromkeys(record["kinds"][field] for record in records))


def part_facts(place: IndexPlace, name: str, count: int, removed: int) -> Result:
    """A segment's line."""
    size = sum(path.stat().st_size for path in (place.present / SEGMENTS / name).rglob("*") if path.is_file())
    return {"part": name, "items": count, "removed": removed, "bytes": size}
