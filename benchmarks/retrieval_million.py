"""A million vectors: `python -m benchmarks.retrieval_million [--count 1000000] --json`.

MiniLM's vectors of the real texts of the public sets, enlarged by noise of length 0.3 on vectors of length 1 (a cosine
of 0.96 to its text), each with a number by which filters keep 50%, 1% and 0.1%. Queries are texts that are not in the
index. The index chooses its kind by itself. What is compared runs in fresh processes, one query at a time, and takes
turns with faiss' exact Flat index in memory, or with the bare faiss call under it.

Memory is what a process holds after its queries beyond what it held before it opened the index, mapped files included.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.figures import Figure, below, ratio, show
from benchmarks.retrieval_texts import text_vectors

DIM = 384
NOISE = 0.3
QUERIES = 300
K = 10
SHARES = (0.5, 0.01, 0.001)
GOALS = {"faster": 20, "recall": 0.95, "memory": 0.5, "opening": 0.2, "upsert": 3.0, "overhead": 1.1, "filtered": 3.0}
ENCODER = {"text": "m" * 64}


def main() -> None:
    """Build the index, measure it in processes of their own, and print the figures."""
    asked = arguments()
    data = os.environ.get("POLYLOOM_DATA")
    if not data:
        sys.exit("POLYLOOM_DATA is not set: it names the folder with the public data sets.")
    vectors, queries = enlarged(text_vectors(Path(data)), count=asked.count)
    with tempfile.TemporaryDirectory(dir=asked.folder) as place:
        folder = Path(place)
        np.save(folder / "vectors.npy", vectors)
        np.save(folder / "queries.npy", queries)
        seconds = alone(build, folder)
        print(f"built in {seconds:.0f} s", file=sys.stderr, flush=True)
        flat, ours = alone(ask_flat, folder), alone(ask_ours, folder)
        recall = recall_of(ours["found"], flat["found"])
        figures = [
            *search_figures(flat, ours, recall, count=len(vectors)),
            *filter_figures(alone(ask_filtered, folder)),
            below("upserting 1,000 rows", alone(upsert, folder), "s", limit=GOALS["upsert"]),
        ]
    sys.exit(show("retrieval_million", figures, as_json=asked.json))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000, help="how many vectors")
    parser.add_argument(
        "--folder", type=Path, help="where the index is written, some 5 GB; default: a temporary folder"
    )
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def enlarged(real: np.ndarray, *, count: int) -> tuple[np.ndarray, np.ndarray]:
    """So many unit vectors [count, dim] around the real ones, and queries [queries, dim] of texts left out."""
    random = np.random.default_rng(7)
    order = random.permutation(len(real))
    queries, kept = real[order[:QUERIES]], real[order[QUERIES:]]
    result = np.empty((count, real.shape[1]), np.float32)
    first = min(count, len(kept))
    result[:first] = kept[:first]
    for begin in range(first, count, 100_000):
        rows = slice(begin, min(begin + 100_000, count))
        chosen = kept[random.integers(len(kept), size=rows.stop - rows.start)]
        noise = random.standard_normal(chosen.shape).astype(np.float32)
        moved = chosen + NOISE * noise / np.linalg.norm(noise, axis=1, keepdims=True)
        result[rows] = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    return result, queries


def alone(work: Callable[[Path], Any], folder: Path) -> Any:
    """What a function gives in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, folder).result()


def build(folder: Path) -> float:
    """Put all vectors in and let the index choose its kind; gives the seconds."""
    from retrieval.items import Field, Items
    from retrieval.live import Writer, create_index

    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    started = time.monotonic()
    create_index(folder / "index", fields={"text": Field(ENCODER["text"], vectors.shape[1])})
    writer = Writer(folder / "index", encoders=ENCODER)
    prices = np.random.default_rng(3).random(len(vectors))
    for begin in range(0, len(vectors), 250_000):
        rows = slice(begin, min(begin + 250_000, len(vectors)))
        ids = [f"item-{number}" for number in range(rows.start, rows.stop)]
        writer.upsert(Items(ids=ids, vectors={"text": vectors[rows]}, rows=pa.table({"price": pa.array(prices[rows])})))
    writer.compact()
    return time.monotonic() - started


def ask_flat(folder: Path) -> dict[str, Any]:
    """The exact answers of a Flat index in memory, the median of its seconds, and its bytes."""
    import faiss

    before = resident()
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    index = faiss.IndexFlatIP(vectors.shape[1])
    for begin in range(0, len(vectors), 100_000):
        index.add(np.ascontiguousarray(vectors[begin : begin + 100_000]))
    del vectors
    found, seconds = asked_one_by_one(folder, lambda query: index.search(query, K)[1][0])
    return {
        "found": [[f"item-{row}" for row in one] for one in found],
        "seconds": seconds,
        "bytes": resident() - before,
    }


def ask_ours(folder: Path) -> dict[str, Any]:
    """Our answers, medians of the seconds of a search and of the bare faiss call under it, of opening, and bytes."""
    from retrieval.kinds import parameters
    from retrieval.live import open_index
    from retrieval.segment_vectors import NEAR, mapped

    open_index(folder / "index", encoders=ENCODER)
    before = resident()
    started = time.perf_counter()
    snapshot = open_index(folder / "index", encoders=ENCODER)
    opening = time.perf_counter() - started
    field = snapshot.field("text")
    found, seconds = asked_one_by_one(folder, lambda query: field.search(query, K).ids[0])
    size = resident() - before
    place, kind = only_segment(folder / "index")
    near = mapped(place / f"text{NEAR}")
    how = parameters(near, field.reach, selector=None)
    queries = np.load(folder / "queries.npy")
    turns = [
        (
            timed(lambda query=query: near.search(query, K, params=how)),
            timed(lambda query=query: field.search(query, K)),
        )
        for query in (queries[row : row + 1] for row in range(len(queries)))
        for _ in range(2)
    ]
    bare, ours = (float(np.median([pair[side] for pair in turns])) for side in (0, 1))
    return {
        "found": found,
        "seconds": seconds,
        "bytes": size,
        "opening": opening,
        "bare": bare,
        "beside": ours,
        "kind": kind,
    }


def only_segment(index: Path) -> tuple[Path, str]:
    """Where the one segment lies, and the kind that it chose."""
    from polyloom.durable import read_json
    from retrieval.state import SEGMENTS, read_state

    (part,) = read_state(index).parts
    place = index / SEGMENTS / part.name
    return place, str(read_json(place / "segment.json")["kinds"]["text"])


def ask_filtered(folder: Path) -> list[dict[str, Any]]:
    """For each share that a filter keeps: recall against exact filtered search, and the median of the seconds.

    Every query has a filter of its own, which is parsed, and reads a million numbers.
    """
    from retrieval.live import open_index
    from retrieval.where import parse_filter

    snapshot = open_index(folder / "index", encoders=ENCODER)
    field, queries = snapshot.field("text"), np.load(folder / "queries.npy")
    result = []
    for share in SHARES:
        recalls, seconds, plain = [], [], []
        for row in range(0, len(queries), 3):
            query, where = queries[row : row + 1], f"price < {share * (1 + row * 1e-6)}"
            plain.append(timed(lambda query=query: field.search(query, K)))
            started = time.perf_counter()
            mask = snapshot.marked(parse_filter(where, {"price": "number"}).mask)
            found = field.search(query, K, allowed=mask).ids[0]
            seconds.append(time.perf_counter() - started)
            recalls.append(recall_of([found], field.search_exactly(query, K, allowed=mask).ids))
        medians = {"seconds": float(np.median(seconds)), "plain": float(np.median(plain))}
        result.append({"share": share, "recall": float(np.mean(recalls)), **medians})
    return result


def upsert(folder: Path) -> float:
    """Seconds to put 1,000 rows into the index of a million: 500 in the place of others, 500 new."""
    from retrieval.items import Items
    from retrieval.live import Writer

    vectors = np.array(np.load(folder / "vectors.npy", mmap_mode="r")[:1000])
    ids = [f"item-{number}" for number in range(500)] + [f"new-{number}" for number in range(500)]
    items = Items(ids=ids, vectors={"text": vectors}, rows=pa.table({"price": np.zeros(1000)}))
    writer = Writer(folder / "index", encoders=ENCODER)
    return timed(lambda: writer.upsert(items))


def asked_one_by_one(folder: Path, ask: Callable[[np.ndarray], Sequence[Any]]) -> tuple[list[list[Any]], float]:
    """What each query finds, and the median of the seconds; the first queries only warm up."""
    queries = np.load(folder / "queries.npy")
    for row in range(20):
        ask(queries[row : row + 1])
    found, seconds = [], []
    for row in range(len(queries)):
        started = time.perf_counter()
        found.append(list(ask(queries[row : row + 1])))
        seconds.append(time.perf_counter() - started)
    return found, float(np.median(seconds))


def timed(work: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def resident() -> int:
    """Bytes that this process holds in memory, mapped files included."""
    for line in Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/smaps_rollup tells no Rss")


def recall_of(found: Sequence[Sequence[str]], true: Sequence[Sequence[str]]) -> float:
    """The mean share of the true neighbours that were found."""
    return float(np.mean([len({*one} & {*other}) / max(1, len(other)) for one, other in zip(found, true, strict=True)]))


def search_figures(flat: dict[str, Any], ours: dict[str, Any], recall: float, *, count: int) -> list[Figure]:
    """What a search takes and finds beside the exact one."""
    name = f"{count:,} x {DIM}, {ours['kind']}"
    faster = flat["seconds"] / ours["seconds"]
    return [
        Figure(
            name=f"{name}: median of single queries",
            value=round(1000 * ours["seconds"], 3),
            unit="ms",
            against=round(1000 * flat["seconds"], 3),
            ratio=round(faster, 1),
            goal=f"at least {GOALS['faster']} times faster than Flat",
            met=faster >= GOALS["faster"],
        ),
        at_least(f"{name}: recall@{K}", recall, GOALS["recall"]),
        ratio("memory", ours["bytes"] / 2**20, "MiB", against=flat["bytes"] / 2**20, at_most=GOALS["memory"]),
        below("opening", ours["opening"], "s", limit=GOALS["opening"]),
        ratio(
            "search beside the bare faiss call",
            1000 * ours["beside"],
            "ms",
            against=1000 * ours["bare"],
            at_most=GOALS["overhead"],
        ),
    ]


def filter_figures(found: Sequence[dict[str, Any]]) -> list[Figure]:
    """What filtered searches find and take beside unfiltered ones."""
    figures = []
    for one in found:
        name = f"filter that keeps {one['share']:.1%}"
        figures.append(at_least(f"{name}: recall@{K} against exact filtered search", one["recall"], GOALS["recall"]))
        figures.append(
            ratio(
                f"{name}: median", 1000 * one["seconds"], "ms", against=1000 * one["plain"], at_most=GOALS["filtered"]
            )
        )
    return figures


def at_least(name: str, value: float, goal: float) -> Figure:
    """A figure that is met when it is large enough."""
    return Figure(name=name, value=round(value, 4), unit="", goal=f"at least {goal}", met=value >= goal)


if __name__ == "__main__":
    main()
