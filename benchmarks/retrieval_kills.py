"""`kill -9` at random moments of a changing index: `python -m benchmarks.retrieval_kills [--kills 1000] --json`.

A process that has paid for its imports forks a child, which puts items in, takes items out, compacts and rebuilds, and
is killed at a random moment. After each kill the index is opened anew: it must hold what stood there before the step
that was cut off, or after it, and exact search over both its fields, its words and its columns must agree with a plain
dictionary of the same items.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa

from benchmarks.figures import Figure, share, show
from retrieval.exact import ExactGeneration
from retrieval.items import Field, Items
from retrieval.live import Writer, create_index, open_index
from retrieval.snapshot import Snapshot

FIELDS = {"text": Field("t" * 64, 24), "image": Field("i" * 64, 12)}
ENCODERS = {name: field.encoder_digest for name, field in FIELDS.items()}
KEYS = 400
WORDS = ("red", "blue", "hat", "lamp", "chair", "台灯", "帽子")
STEPS = ("upsert", "upsert", "delete", "compact", "upsert", "delete", "rebuild")
Known = dict[str, int]
"""Each item that is there, with the step that put it in."""


def keys_of(step: int) -> list[str]:
    """The items that a step is about."""
    return [f"id{key}" for key in random.Random(step).sample(range(KEYS), 40)]


def vectors_of(key: str, step: int) -> dict[str, np.ndarray]:
    """An item's vectors as a step gives them."""
    drawn = np.random.default_rng([int(key[2:]), step])
    return {name: drawn.standard_normal(field.dim).astype(np.float32) for name, field in FIELDS.items()}


def text_of(key: str, step: int) -> str:
    """An item's words as a step gives them."""
    return f"{WORDS[(int(key[2:]) + step) % len(WORDS)]} {key}"


def items_of(known: Known) -> Items:
    """Items as the index takes them."""
    each = [vectors_of(key, step) for key, step in known.items()]
    return Items(
        ids=list(known),
        vectors={name: np.array([one[name] for one in each]).reshape(-1, FIELDS[name].dim) for name in FIELDS},
        rows=pa.table({"step": pa.array(list(known.values()), pa.int64())}),
        texts=[text_of(key, step) for key, step in known.items()],
    )


def take(writer: Writer, step: int) -> None:
    """One step on the index."""
    what = STEPS[step % len(STEPS)]
    if what == "upsert":
        writer.upsert(items_of(dict.fromkeys(keys_of(step), step)))
    elif what == "delete":
        writer.delete(keys_of(step))
    elif what == "compact":
        writer.compact()
    else:
        writer.rebuild("ivf_sq8" if step % 2 else "flat")


def after(known: Known, step: int) -> Known:
    """The same step on a dictionary; what is put in again stands at the end."""
    what, keys = STEPS[step % len(STEPS)], keys_of(step)
    if what in {"compact", "rebuild"}:
        return known
    left = {key: put_in for key, put_in in known.items() if key not in keys}
    return {**left, **dict.fromkeys(keys, step)} if what == "upsert" else left


def holds(snapshot: Snapshot, known: Known) -> bool:
    """Whether an index holds exactly these items, each as its step gave it."""
    return list(snapshot.ids) == list(known) and (
        not known or snapshot.table(["step"])["step"].to_pylist() == list(known.values())
    )


def check_search(snapshot: Snapshot, known: Known) -> None:
    """Raises AssertionError unless exact search over every field and the words agree with the dictionary."""
    items = items_of(known)
    for name, field in FIELDS.items():
        queries = np.random.default_rng(len(known)).standard_normal((3, field.dim))
        oracle = ExactGeneration(ids=items.ids, vectors=items.vectors[name], encoder_digest="o")
        assert snapshot.field(name).search_exactly(queries, 7) == oracle.search(queries, 7), name
    assert snapshot.keywords is not None
    for word in ("hat", "台灯"):
        found = {id_ for id_, _ in snapshot.keywords.search(word, KEYS)}
        assert found == {key for key, step in known.items() if word in text_of(key, step)}, word


def killed_once(folder: Path, step: int, *, seconds: float) -> int:
    """Take steps from `step` on in a child, and kill it after some time; how many it said were done."""
    reader, written = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            writer = Writer(folder, encoders=ENCODERS)
            for number in range(step, step + 10_000):
                take(writer, number)
                os.write(written, b".")
        finally:
            os._exit(1)
    os.close(written)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the child failed by itself"
    with os.fdopen(reader, "rb") as stream:
        return len(stream.read())


def seconds_a_step(folder: Path) -> float:
    """How long a step takes, on an index of its own; what is imported at the first of them is imported here."""
    create_index(folder, fields=FIELDS, keyword=True)
    writer = Writer(folder, encoders=ENCODERS)
    take(writer, 0)
    started = time.monotonic()
    for step in range(1, 1 + 2 * len(STEPS)):
        take(writer, step)
    return (time.monotonic() - started) / (2 * len(STEPS))


def kills(count: int, *, seed: int) -> list[Figure]:
    """How many of the reopenings showed the state before or after, and how many kills fell into an unfinished step."""
    moments = random.Random(seed)
    whole = advanced = within = 0
    known: Known = {}
    step = 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "index"
        create_index(folder, fields=FIELDS, keyword=True)
        each = seconds_a_step(Path(place) / "other")
        for kill in range(count):
            done = killed_once(folder, step, seconds=moments.uniform(0.0, 3.0 * each))
            for number in range(step, step + done):
                known = after(known, number)
            step += done
            drafts = [path for path in (folder / "segments").glob(".*") if not path.name.endswith(".seen")]
            within += bool(drafts)
            snapshot = open_index(folder, encoders=ENCODERS)
            # What was cut off a moment after it had happened was not said to be done.
            if not holds(snapshot, known):
                known, step = after(known, step), step + 1
            assert holds(snapshot, known), f"after {step} steps: neither the state before nor the one after"
            check_search(snapshot, known)
            advanced += done > 0
            whole += 1
            if sys.stderr.isatty() or kill % 100 == 99:
                print(f"{kill + 1} of {count} kills, {step} steps", file=sys.stderr, flush=True)
    return [
        share("kills after which the index was whole and searched right", done=whole, of=count, unit="kills"),
        Figure(name="kills after a change", value=advanced, unit="kills", goal="more than 0", met=advanced > 0),
        Figure(name="kills that left a draft behind", value=within, unit="kills", goal="more than 0", met=within > 0),
    ]


def main() -> None:
    """Kill so many times and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    # Threads of OpenMP do not survive a fork.
    faiss.omp_set_num_threads(1)
    sys.exit(show("retrieval_kills", kills(asked.kills, seed=asked.seed), as_json=asked.json))


if __name__ == "__main__":
    main()
