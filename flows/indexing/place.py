"""Where the changing index of a scenario lies, and how it begins: as the one that its release was sealed with."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyloom.durable import publish_folder, read_json
from polyloom.errors import RequestError
from polyloom.home import home
from releases.live_index import IN_MILVUS, RECORD, field_digests, space_of
from releases.runtime import INDEX, Runtime
from retrieval.kinds import Kind
from retrieval.live import Writer, open_index
from retrieval.milvus_connection import EMBEDDED
from retrieval.milvus_live import PlacedIndex, PlacedWriter, place_in_milvus, read_placed
from retrieval.snapshot import Snapshot
from retrieval.state import State, read_state

# The fact in a state's note that says which snapshot it is in step with.
SNAPSHOT = "snapshot"


@dataclass(frozen=True)
class IndexPlace:
    """The index of a release: `live` changes, `sealed` is what the release came with.

    With `milvus`, an address, the changing one is a collection there, and `live` says which; `name` begins its name.
    """

    live: Path
    sealed: Path
    encoders: dict[str, str]
    name: str
    milvus: str | None = None
    kind: Kind | None = None

    @property
    def is_live(self) -> bool:
        """Whether it has been changed since the release."""
        return (self.live / (IN_MILVUS if self.milvus else RECORD)).is_file()

    @property
    def present(self) -> Path:
        """The folder that answers, or that says who does."""
        return self.live if self.is_live else self.sealed

    def open(self, *, verify: bool = False) -> Snapshot | PlacedIndex:
        """The present state, opened; a release's own was verified with the release."""
        if self.is_live and self.milvus:
            if verify:
                PlacedWriter(self.live, encoders=self.encoders).verify()
            return PlacedIndex(read_placed(self.live), encoders=self.encoders)
        return open_index(
            self.present, encoders=self.encoders, verify=verify and self.is_live, trusted=not self.is_live
        )

    def writer(self) -> Writer | PlacedWriter:
        """What changes the index; at its first use the release's own is copied."""
        if self.milvus:
            if not self.is_live:
                self._place_in_milvus(self.milvus)
            return PlacedWriter(self.live, encoders=self.encoders)
        if not self.is_live:
            with publish_folder(self.live) as draft:
                shutil.copytree(self.sealed, draft, dirs_exist_ok=True, copy_function=copied)
        return Writer(self.live, encoders=self.encoders)

    def _place_in_milvus(self, uri: str) -> None:
        sealed = open_index(self.sealed, encoders=self.encoders, trusted=True)
        self.live.mkdir(parents=True, exist_ok=True)
        place_in_milvus(
            self.live,
            uri=uri,
            name=self.name,
            items=sealed.items(),
            note=sealed.note,
            kind=self.kind,
            fields=read_state(self.sealed).fields,
        )


def index_place(runtime: Runtime) -> IndexPlace:
    """Where a release's index lies. Raises RequestError when it has none."""
    if not runtime.searchable:
        raise RequestError(
            f"{runtime.name!r} has no index. Add a section `index` to its scenario, then: polyloom run {runtime.name}"
        )
    return place_of(runtime.folder, runtime.facts)


def place_of(bundle: Path, facts: Mapping[str, Any]) -> IndexPlace:
    """Where the index of a bundle lies; `facts` are its `application.json`, which names an index."""
    live = home() / "indexes" / str(facts["name"]) / space_of(facts)
    milvus = facts["index"].get("milvus")
    # A path is one below the state of polyloom, as the index on disk is.
    uri = str(home() / milvus) if milvus and milvus.endswith(EMBEDDED) else milvus
    name = re.sub(r"[^A-Za-z0-9_]", "_", f"polyloom_{facts['name']}_{live.name[:12]}")
    kind = read_state(bundle / INDEX).kind if milvus else None
    return IndexPlace(live=live, sealed=bundle / INDEX, encoders=field_digests(facts), name=name, milvus=uri, kind=kind)


def forget_in_indexes(scenario: str, keys: Sequence[str]) -> int:
    """Take items out of a scenario's indexes, whatever their encoders, and of the changing ones' files; gives how many.

    An index that is sealed in a release stays as it is; from now on one without the items answers in its place.
    """
    for bundle in sorted((home() / "releases" / scenario).glob("*/application.json")):
        facts = read_json(bundle)
        if facts["index"] and (bundle.parent / INDEX / RECORD).is_file():
            place = place_of(bundle.parent, facts)
            if not place.is_live and any(key in place.open().ids for key in keys):
                place.writer()
    gone = 0
    for path in sorted((home() / "indexes" / scenario).glob(f"*/{RECORD}")):
        writer = Writer(path.parent, encoders=encoders_of(read_state(path.parent)))
        gone += writer.delete(keys)
        # What was taken out before still lies in the files.
        if any(part.removed for part in read_state(path.parent).parts):
            writer.compact()
    return gone + forget_in_milvus(scenario, keys)


def forget_in_milvus(scenario: str, keys: Sequence[str]) -> int:
    """Take items out of a scenario's collections in Milvus; gives how many."""
    gone = 0
    for bundle in sorted((home() / "releases" / scenario).glob("*/application.json")):
        facts = read_json(bundle)
        if facts["index"] and facts["index"].get("milvus"):
            place = place_of(bundle.parent, facts)
            gone += place.writer().delete(keys) if place.is_live else 0
    return gone


def encoders_of(state: State) -> dict[str, str]:
    """The encoders that a state names itself."""
    return {name: field.encoder_digest for name, field in state.fields.items()}


def copied(source: str, target: str) -> Any:
    """Copy a file without the rights of a sealed one, which nobody may write to."""
    return shutil.copyfile(source, target)
