"""How fast texts become vectors: `python -m benchmarks.retrieval_encoding [--texts 3000] --json`.

The exported MiniLM, tokenising included, against `SentenceTransformer.encode` with its defaults, over the items of
Cranfield, XQuAD and a bank's answers. Both sort by length; each has one core and one thread, and they take turns over
parts of the texts, each being first as often as the other, so that what else the machine does falls on both. Shown are
the ratio of rates, also by processor time, and the largest cosine distance between their vectors.

The goal is for the graph in bf16, on processors that have units for it (Intel's AMX); the vectors of the plain graph
and of this one are compared. The int8 graph is made as a release makes it: its rate, and its nDCG@10 on Cranfield
(codes above 0) against the plain graph's; on half of the questions with `--split validation`, for trials.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.figures import Figure, below, ratio, show
from benchmarks.retrieval_encoder import at_length_one, embedded, graph_encoder, peer, prepared_job, unit_vectors
from benchmarks.retrieval_rows import bank_faq, cranfield, xquad
from benchmarks.retrieval_scores import ndcg_at_10

if TYPE_CHECKING:
    from flows.stages.job import Job
    from flows.stages.variant import Variant

Encode = Callable[[Sequence[str]], np.ndarray]
GOAL, APART, LOSS = 1.5, 1e-3, 0.005
FAST = "OpenVINO's graph in bf16"
PART = 500
# Not among the texts: what has been embedded once is not embedded again.
WARMING = ("warming up", "and once more, with more words")


@dataclass
class Spent:
    """What one side took so far, and its vectors."""

    seconds: float = 0.0
    processor_seconds: float = 0.0
    vectors: list[np.ndarray] = field(default_factory=list)


def main() -> None:
    """Take turns, quantise, and print the figures."""
    asked = arguments()
    data = os.environ.get("POLYLOOM_DATA")
    if not data:
        sys.exit("POLYLOOM_DATA is not set: it names the folder with cranfield, xquad and bank_faq_hdfc.")
    on_one_core()
    texts = mixed_texts(Path(data), count=asked.texts)
    with tempfile.TemporaryDirectory() as place:
        os.environ["POLYLOOM_HOME"] = str(Path(place) / "home")
        job = prepared_job(Path(place) / "run", texts)
        figures = speeds(job, texts)
        if not asked.speed_alone:
            figures.append(loss_of_int8(job, Path(data), half=asked.split == "validation"))
    sys.exit(show("retrieval_encoding", figures, as_json=asked.json))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=3000)
    parser.add_argument("--speed-alone", action="store_true", help="without the quality of int8")
    parser.add_argument("--split", choices=["validation", "test"], default="test", help="half of the questions, or all")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def on_one_core() -> None:
    """Sessions and threads that are made from now on have one core."""
    import torch

    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)


def mixed_texts(data: Path, *, count: int) -> list[str]:
    """Different texts of all sets in one random order, so that each part has all lengths."""
    sets = (cranfield(data), xquad(data), bank_faq(data))
    texts = list(dict.fromkeys(text for given in sets for text in given.items.values() if text))
    order = np.random.default_rng(0).permutation(len(texts))[:count]
    return [texts[place] for place in order]


def speeds(job: "Job", texts: Sequence[str]) -> list[Figure]:
    """Rates of the exported graph and of its int8 variant beside sentence-transformers, and how far they are apart."""
    model = peer()
    sides: dict[str, Encode] = {
        "sentence-transformers": lambda part: np.asarray(model.encode(list(part))),
        "exported graph": partial(embedded, job, encoder=graph_encoder(job)),
        "int8 graph": partial(embedded, job, encoder=graph_encoder(job, int8())),
        FAST: partial(embedded, job, encoder=graph_encoder(job, bf16())),
    }
    for encode in sides.values():
        encode(WARMING)
    spent = turns(sides, texts)
    theirs = spent["sentence-transformers"]
    figures = []
    for name in list(sides)[1:]:
        ours = spent[name]
        processor = theirs.processor_seconds / ours.processor_seconds
        label = f"{name}: texts a second, {len(texts)} texts; by processor time {processor:.2f} times the rate"
        rates = (len(texts) / ours.seconds, len(texts) / theirs.seconds)
        figures.append(ratio(label, rates[0], "texts/s", against=rates[1], at_least=GOAL if name == FAST else 0.0))
    apart = np.maximum(distances(spent["exported graph"], theirs), distances(spent[FAST], theirs))
    int8_apart = distances(spent["int8 graph"], theirs)
    return [
        *figures,
        Figure(
            name=f"largest cosine distance to sentence-transformers' vectors; int8 {int8_apart.mean():.4f} in the mean",
            value=float(f"{apart.max():.2g}"),
            unit="",
            goal=f"at most {APART:g}",
            met=bool(apart.max() <= APART),
        ),
    ]


def turns(sides: dict[str, Encode], texts: Sequence[str]) -> dict[str, Spent]:
    """What each side takes over all parts of the texts, each part by one side after the other."""
    spent = {name: Spent() for name in sides}
    for number, start in enumerate(range(0, len(texts), PART)):
        names = list(sides)[:: 1 if number % 2 else -1]
        for name in names:
            began, processor = time.perf_counter(), time.process_time()
            spent[name].vectors.append(sides[name](texts[start : start + PART]))
            spent[name].seconds += time.perf_counter() - began
            spent[name].processor_seconds += time.process_time() - processor
    return spent


def distances(one: Spent, other: Spent) -> np.ndarray:
    """1 - cosine of each text's two vectors."""
    first, second = (at_length_one(np.concatenate(side.vectors)) for side in (one, other))
    return np.asarray(1.0 - (first * second).sum(axis=1))


def bf16() -> "Variant":
    """The graph that a run makes with `export: {runtime: auto}` where the processor computes in bf16."""
    from flows.stages.variant import Variant

    return Variant(int8=None, runtime="openvino_bf16")


def int8() -> "Variant":
    """The smaller graph that a run would make of a text encoder."""
    from flows.stages.variant import Variant

    return Variant(int8="dynamic", runtime="onnxruntime")


def loss_of_int8(job: "Job", data: Path, *, half: bool) -> Figure:
    """Relative loss of nDCG@10 on Cranfield where items and questions go through the int8 graph."""
    given = cranfield(data)
    questions = given.questions[:: 2 if half else 1]
    ids = np.array(list(given.items))
    means = {}
    for name, variant in (("plain", None), ("int8", int8())):
        items, queries = (
            unit_vectors(job, texts, variant=variant)
            for texts in (list(given.items.values()), [question.text for question in questions])
        )
        nearest = ids[np.argsort(-(queries @ items.T), axis=1, kind="stable")[:, :10]].tolist()
        scores = [ndcg_at_10(ranking, one.relevant) for ranking, one in zip(nearest, questions, strict=True)]
        means[name] = float(np.mean(scores))
    lost = 1.0 - means["int8"] / means["plain"]
    label = f"cranfield, nDCG@10 of int8 {means['int8']:.4f}, of the plain graph {means['plain']:.4f}: relative loss"
    return below(label, lost, "", limit=LOSS)


if __name__ == "__main__":
    main()
