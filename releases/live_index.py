"""Which state of a release's index answers: the one sealed with it, or a later one with the same encoders.

A later one lies in a folder, or in Milvus where the scenario says so; then the folder holds a record of where.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyloom.durable import json_digest
from polyloom.errors import IntegrityError
from releases.reranker import FOLDER, Reranker
from releases.search import Searcher
from retrieval.recall_log import RecallLog

if TYPE_CHECKING:
    from retrieval.milvus_live import PlacedIndex
    from retrieval.snapshot import Snapshot

RECORD, IN_MILVUS = "index.json", "milvus.json"


class LiveIndex:
    """The index of a release, opened again when it has changed."""

    def __init__(self, sealed: Path, *, facts: Mapping[str, Any], indexes: Path | None) -> None:
        self._sealed = sealed
        self._facts = facts["index"]
        self._digests = field_digests(facts) if facts["index"] else {}
        self._live = None if indexes is None or not facts["index"] else indexes / space_of(facts)
        self._record = live_record(facts)
        self._reranker = sealed.with_name(FOLDER)
        self._rerank: Reranker | None = None
        self._opened: tuple[object, Searcher] | None = None

    def searcher(self) -> Searcher:
        """The present state. Raises IntegrityError naming what of it is missing or changed."""
        folder, stamp = self._present()
        if self._opened is None or self._opened[0] != stamp:
            if self._rerank is None and self._reranker.is_dir():
                self._rerank = Reranker.open(self._reranker)
            watch = None if self._live is None else recall_log(self._live)
            found = Searcher(self._open(folder), facts=self._facts, watch=watch, rerank=self._rerank)
            self._opened = (stamp, found)
        return self._opened[1]

    def _open(self, folder: Path) -> "Snapshot | PlacedIndex":
        """The state in a folder. A release's own was verified with the release."""
        # faiss takes half a second to import, and a release without an index needs none.
        if folder != self._sealed and self._record == IN_MILVUS:
            from retrieval.milvus_live import PlacedIndex, read_placed

            return PlacedIndex(read_placed(folder), encoders=self._digests)
        from retrieval.live import open_index

        return open_index(folder, encoders=self._digests, trusted=folder == self._sealed)

    def _present(self) -> tuple[Path, object]:
        """The folder of the present state, and what changes when that does."""
        if self._live is not None:
            try:
                state = (self._live / self._record).stat()
            except FileNotFoundError:
                pass
            else:
                return self._live, (state.st_mtime_ns, state.st_ino)
        if not (self._sealed / RECORD).is_file():
            raise IntegrityError(
                f"{self._sealed} holds no index that this version of polyloom reads: the release is of one before. Run "
                "the scenario again: polyloom run SCENARIO"
            )
        return self._sealed, None


def field_digests(facts: Mapping[str, Any]) -> dict[str, str]:
    """The encoder of each field of an index, by what a bundle's `application.json` says."""
    found = {name: facts["modalities"][name]["digest"] for name in facts["index"]["embed"]}
    return found | {name: one["digest"] for name, one in facts["index"].get("align", {}).items()}


def live_record(facts: Mapping[str, Any]) -> str:
    """The file by which a changing index is known."""
    return IN_MILVUS if facts["index"] and facts["index"].get("milvus") else RECORD


def space_of(facts: Mapping[str, Any]) -> str:
    """What an index must share with a release to be its own: encoders, columns, and whether words are searched."""
    index = facts["index"]
    same = {"fields": field_digests(facts), "columns": index["columns"], "keyword": index.get("keyword", False)}
    return json_digest(same)[:32]


def recall_log(live: Path) -> RecallLog:
    """Where it is noted what searches over a changing index, or its sealed one, overlooked."""
    return RecallLog(live.with_name(f"{live.name}.recall.jsonl"))
