"""What an index is at one moment: `index.json`, and the parts that it names."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from polyloom.durable import file_digest, json_digest, write_json
from polyloom.errors import IntegrityError
from retrieval.items import Field
from retrieval.kinds import Kind
from retrieval.parts import Part
from retrieval.records import AGAIN, read_record
from retrieval.segment import open_segment

RECORD, SEGMENTS, REMOVED = "index.json", "segments", "removed"


@dataclass(frozen=True)
class PartRecord:
    """A segment by name and digest, and the file of what is removed from it, where something is."""

    name: str
    digest: str
    count: int
    removed: int = 0
    bits: str | None = None
    bits_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class State:
    """What `index.json` says. `number` grows by one with each change; `note` are facts of whoever made it."""

    number: int
    fields: dict[str, Field]
    keyword: bool
    kind: Kind | None
    memory: int | None
    parts: tuple[PartRecord, ...] = ()
    note: dict[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many items there are."""
        return sum(part.count - part.removed for part in self.parts)


def read_state(folder: Path) -> State:
    """What `index.json` says. Raises IntegrityError when it is missing or changed."""
    if not (folder / RECORD).is_file():
        raise IntegrityError(f"{folder / RECORD} is missing: there is no index here. Create it first.")
    facts = read_record(folder / RECORD)
    given = {name: value for name, value in facts.items() if name not in {"digest", "parts", "fields"}}
    return State(
        **given,
        fields={name: Field(**one) for name, one in facts["fields"].items()},
        parts=tuple(PartRecord(**part) for part in facts["parts"]),
    )


def write_state(folder: Path, state: State) -> None:
    """Replace what the index is, in one step."""
    facts = {**asdict(state), "parts": [asdict(part) for part in state.parts]}
    write_json(folder / RECORD, {**facts, "digest": json_digest(facts)})


def check_encoders(folder: Path, state: State, encoders: Mapping[str, str]) -> None:
    """Raises IntegrityError unless the index belongs to these encoders by field, and to no other."""
    for name in {**state.fields, **encoders}:
        held = state.fields[name].encoder_digest if name in state.fields else "no encoder"
        given = encoders.get(name, "none")
        if held != given:
            raise IntegrityError(
                f"The index in {folder} belongs, in {name!r}, to the encoder {held}, the query to {given}. "
                "Embed the items again with the query's encoder, or open the release that holds both."
            )


def open_part(folder: Path, state: State, part: PartRecord, *, verify: bool, trusted: bool) -> Part:
    """A segment with the mask of its items that are still there."""
    place = folder / SEGMENTS / part.name
    segment = open_segment(place, digest=part.digest, fields=state.fields, verify=verify, trusted=trusted)
    return Part(segment=segment, alive=read_alive(folder, part))


def read_alive(folder: Path, part: PartRecord) -> np.ndarray | None:
    """Which items are still there, bool [items]; None for all."""
    if part.bits is None:
        return None
    path = folder / REMOVED / part.bits
    if not path.is_file():
        raise IntegrityError(f"{path} is missing. {AGAIN}")
    if file_digest(path) != part.bits_sha256:
        raise IntegrityError(f"{path} is not what was recorded. {AGAIN}")
    bits = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    return ~np.unpackbits(bits, count=part.count, bitorder="little").astype(bool)
