"""One immutable part of an index on disk: its items' ids, their vectors, and for many of them an approximate index.

A folder with `exact.faiss` (all vectors, memory-mapped: read in whole by exact searches alone), `near.faiss` where the
kind has one, the ids, and `segment.json` with the digests of all these and its own.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from polyloom.durable import file_digest, json_digest, publish_folder, write_json
from polyloom.errors import IntegrityError
from retrieval.id_table import IdTable, write_ids
from retrieval.kinds import Kind, Reach, build_near, parameters
from retrieval.metrics import Metric, faiss_metric, scores
from retrieval.records import AGAIN, read_record
from retrieval.selection import bitmap

RECORD, EXACT, NEAR = "segment.json", "exact.faiss", "near.faiss"
# Above what float32 sums may be wrong by, relative to the score, and what rounding may move.
TOLERANCE = 2e-5
# So many allowed items are compared one by one, whatever the kind.
FEW = 20_000


class Segment:
    """An open segment; `places` are its items' positions from 0 on."""

    def __init__(self, *, exact: Any, near: Any | None, ids: IdTable, record: dict[str, Any]) -> None:
        self.ids = ids
        self.record = record
        self.metric: Metric = record["metric"]
        self._exact = exact
        self._near = near

    def __len__(self) -> int:
        return len(self.ids)

    def vectors(self, places: np.ndarray) -> np.ndarray:
        """The vectors at these places [places, dim]."""
        found: np.ndarray = self._exact.reconstruct_batch(places)
        return found

    def all_vectors(self) -> np.ndarray:
        """All vectors [items, dim], memory-mapped; not to be written to."""
        found: np.ndarray = faiss.rev_swig_ptr(self._exact.get_xb(), len(self) * self._exact.d)
        return found.reshape(len(self), self._exact.d)

    def exact(self, query: np.ndarray, k: int, *, allowed: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Places and scores of the k nearest of all allowed items, none overlooked; equal scores in order of places."""
        if allowed is None:
            return self._best(query, self._surely(query, k, selector=None), k)
        places = np.flatnonzero(allowed)
        if len(places) <= max(FEW, k):
            return self._best(query, places, k)
        return self._best(query, self._surely(query, k, selector=bitmap(allowed)), k)

    def nearest(
        self, query: np.ndarray, k: int, *, allowed: np.ndarray | None, reach: Reach
    ) -> tuple[np.ndarray, np.ndarray]:
        """Places and scores of the k nearest allowed items, of which an approximate kind may overlook some."""
        if self._near is None:
            return self.exact(query, k, allowed=allowed)
        selector, share = None, 1.0
        if allowed is not None:
            count = int(np.count_nonzero(allowed))
            if count <= FEW:
                return self.exact(query, k, allowed=allowed)
            selector, share = bitmap(allowed), count / len(self)
        how = parameters(self._near, reach, selector=selector, share=share)
        _, found = self._near.search(query[None], min(len(self), k + max(k, 10)), params=how)
        places = found[0]
        return self._best(query, places[places >= 0], k)

    def _best(self, query: np.ndarray, places: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k best of these places by their exact scores."""
        near = scores(query, self.vectors(places), metric=self.metric)
        order = np.lexsort((places, -near))[:k]
        return places[order], near[order]

    def _surely(self, query: np.ndarray, k: int, *, selector: Any) -> np.ndarray:
        """Places that surely hold the k best.

        faiss breaks ties by chance and its float32 sums depend on the batch, so when the k-th and the next score
        cannot be told apart, everything as good as the k-th is fetched.
        """
        only = None if selector is None else faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        found_scores, found = self._exact.search(query[None], min(k + 1, len(self)), params=only)
        places = found[0][found[0] >= 0]
        last = found_scores[0][: len(places)]
        if len(places) <= k:
            return np.asarray(places)
        slack = TOLERANCE * max(1.0, abs(float(last[k - 1])))
        if abs(float(last[k - 1]) - float(last[k])) > slack:
            return np.asarray(places[:k])
        radius = float(last[k - 1]) + (slack if self.metric == "l2" else -slack)
        _, _, places = self._exact.range_search(query[None], radius, params=only)
        return np.asarray(places)


def write_segment(folder: Path, *, ids: Sequence[str], vectors: np.ndarray, metric: Metric, kind: Kind) -> str:
    """Publish checked `vectors` [items, dim], float32, as a segment in `folder`; gives the digest of its record."""
    with publish_folder(folder) as draft:
        flat = faiss.IndexFlat(vectors.shape[1], faiss_metric(metric))
        flat.add(vectors)
        faiss.write_index(flat, str(draft / EXACT))
        del flat
        if kind != "flat":
            faiss.write_index(build_near(kind, vectors, metric=metric), str(draft / NEAR))
        write_ids(draft, ids)
        names = sorted(path.name for path in draft.iterdir())
        files = {name: {"bytes": (draft / name).stat().st_size, "sha256": file_digest(draft / name)} for name in names}
        facts = {"kind": kind, "metric": metric, "dim": vectors.shape[1], "count": len(ids), "files": files}
        record = {**facts, "digest": json_digest(facts)}
        write_json(draft / RECORD, record)
    note(seen_file(folder), states_of(folder, record))
    return str(record["digest"])


def open_segment(folder: Path, *, digest: str, verify: bool = False) -> Segment:
    """The segment whose record has this digest.

    Files are held against their recorded lengths, and against their digests on the first opening after they were
    written or moved, and with `verify` each time: the name, length and time of those that were right are noted beside
    them. Raises IntegrityError that names what is missing or changed.
    """
    record = read_record(folder / RECORD)
    if record["digest"] != digest:
        raise IntegrityError(f"{folder / RECORD} is another segment's than the index names. {AGAIN}")
    check_files(folder, record, verify=verify)
    near = None
    if record["kind"] != "flat":
        near = faiss.read_index(str(folder / NEAR), faiss.IO_FLAG_MMAP_IFC)
    exact = faiss.read_index(str(folder / EXACT), faiss.IO_FLAG_MMAP_IFC)
    return Segment(exact=exact, near=near, ids=IdTable.open(folder), record=record)


def check_files(folder: Path, record: dict[str, Any], *, verify: bool) -> None:
    """Raises IntegrityError for a file that is missing, cut or changed."""
    states = states_of(folder, record)
    if not verify and noted(seen_file(folder)) == states:
        return
    for name, expected in record["files"].items():
        if file_digest(folder / name) != expected["sha256"]:
            raise IntegrityError(f"{folder / name} is not what was recorded. {AGAIN}")
    note(seen_file(folder), states)


def seen_file(folder: Path) -> Path:
    """Where it is noted which files of a segment were found right."""
    return folder.parent / f".{folder.name}.seen"


def states_of(folder: Path, record: dict[str, Any]) -> dict[str, list[int]]:
    """What changes when a file does: its length, its time and where it lies. Raises IntegrityError as `check_files`."""
    states = {}
    for name, expected in record["files"].items():
        path = folder / name
        if not path.is_file():
            raise IntegrityError(f"{path} is missing. {AGAIN}")
        state = path.stat()
        if state.st_size != expected["bytes"]:
            raise IntegrityError(f"{path} has {state.st_size} bytes instead of {expected['bytes']}. {AGAIN}")
        states[name] = [state.st_size, state.st_mtime_ns, state.st_ino]
    return states


def noted(path: Path) -> object:
    """What an earlier opening noted; None where nobody did."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def note(path: Path, states: object) -> None:
    """Note what was found right; a reader who may not write here will look again."""
    try:
        write_json(path, states)
    except OSError:
        return
