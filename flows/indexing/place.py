"""Where the changing index of a scenario lies, and how it begins: as the one that its release was sealed with."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyloom.durable import publish_folder, read_json
from polyloom.errors import RequestError
from polyloom.home import home
from releases.live_index import RECORD, field_digests, space_of
from releases.runtime import INDEX, Runtime
from retrieval.live import Writer, open_index
from retrieval.snapshot import Snapshot
from retrieval.state import State, read_state

# The fact in a state's note that says which snapshot it is in step with.
SNAPSHOT = "snapshot"


@dataclass(frozen=True)
class IndexPlace:
    """The index of a release: `live` changes, `sealed` is what the release came with."""

    live: Path
    sealed: Path
    encoders: dict[str, str]

    @property
    def is_live(self) -> bool:
        """Whether it has been changed since the release."""
        return (self.live / RECORD).is_file()

    @property
    def present(self) -> Path:
        """The folder that answers."""
        return self.live if self.is_live else self.sealed

    def state(self) -> State:
        """The present state. Raises IntegrityError when its record is missing or changed."""
        return read_state(self.present)

    def open(self) -> Snapshot:
        """The present state, opened; a release's own was verified with the release."""
        return open_index(self.present, encoders=self.encoders, trusted=not self.is_live)

    def writer(self) -> Writer:
        """What changes the index; at its first use the release's own is copied."""
        if not self.is_live:
            with publish_folder(self.live) as draft:
                shutil.copytree(self.sealed, draft, dirs_exist_ok=True, copy_function=copied)
        return Writer(self.live, encoders=self.encoders)


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
    return IndexPlace(live=live, sealed=bundle / INDEX, encoders=field_digests(facts))


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
    return gone


def encoders_of(state: State) -> dict[str, str]:
    """The encoders that a state names itself."""
    return {name: field.encoder_digest for name, field in state.fields.items()}


def copied(source: str, target: str) -> Any:
    """Copy a file without the rights of a sealed one, which nobody may write to."""
    return shutil.copyfile(source, target)
