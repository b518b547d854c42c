"""How well words and vectors find: `python -m benchmarks.retrieval_quality [--set cranfield xquad] --json`.

MiniLM as a run prepares and exports it, and words, in one index over each set's items: Cranfield's abstracts (nDCG@10,
once with codes above 0 relevant and once with code -1 too), XQuAD's English paragraphs (recall@1) and answers of a
bank (recall@1, from a question to any of its answers). Compared are words alone, vectors alone, reciprocal rank fusion
of the two, and scores joined. How much words count there is learned on one half of the questions and judged on the
other, and the other way round. The interval of the gain over the better part is drawn over questions.

Vectors alone are also held against `sentence-transformers` and an exact search in numpy. Chinese replies about
insurance are asked for by the titles of their questions, by words alone (recall@10), and by pairs of characters, for
which those that hold the pair must come first. Nothing is chosen by these questions but what is learned as said.
"""

import argparse
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.adversarial import interval
from benchmarks.figures import Figure, show
from benchmarks.retrieval_chinese import chinese_figures
from benchmarks.retrieval_encoder import TEXT, peer, prepared_job, unit_vectors
from benchmarks.retrieval_rows import RetrievalSet, bank_faq, cranfield, xquad
from benchmarks.retrieval_scores import Score, first_answers, ndcg_at_10
from retrieval.joining import Judged, Learned, join, learn_share
from retrieval.rank_fusion import reciprocal_rank_fusion

if TYPE_CHECKING:
    from flows.stages.job import Job
    from retrieval.snapshot import Snapshot

# As many of each ranking are joined as in a release.
CANDIDATES = 100
WORDS, VECTORS, RANKS, JOINED = "words alone", "vectors alone", "ranks merged", "scores joined"
TOLERANCE = 0.002


@dataclass(frozen=True)
class Case:
    """A set, how a ranking of it is scored, and what joined scores are to reach."""

    read: Callable[[Path], RetrievalSet]
    score: Score
    measure: str
    goal: float


CASES = {
    "cranfield": Case(cranfield, ndcg_at_10, "nDCG@10", 0.44),
    "cranfield_all": Case(lambda data: cranfield(data, least_code=-1), ndcg_at_10, "nDCG@10", 0.57),
    "xquad": Case(xquad, first_answers, "recall@1", 0.94),
    "bank_faq": Case(bank_faq, first_answers, "recall@1", 0.48),
}
CHINESE = "baoxian"


def main() -> None:
    """Index each set, ask its questions, and print the figures."""
    asked = arguments()
    data = os.environ.get("POLYLOOM_DATA")
    if not data:
        sys.exit("POLYLOOM_DATA is not set: it names the folder with cranfield, xquad, bank_faq_hdfc, baoxian_faq_zh.")
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as place:
        os.environ["POLYLOOM_HOME"] = str(Path(place) / "home")
        for name in asked.set:
            if name == CHINESE:
                figures += chinese_figures(Path(data), Path(place) / name, questions=asked.questions)
            else:
                case = CASES[name]
                given = case.read(Path(data)).cut(asked.questions)
                figures += judged_set(case, given, Path(place) / name)
    sys.exit(show("retrieval_quality", figures, as_json=asked.json))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=[*CASES, CHINESE], nargs="+", default=[*CASES, CHINESE])
    parser.add_argument("--questions", type=int, default=None, help="ask only so many of each set, for a quick try")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def judged_set(case: Case, given: RetrievalSet, folder: Path) -> list[Figure]:
    """All figures of one set."""
    from retrieval.hybrid import judged

    job = prepared_job(folder / "run", [text for text in given.items.values() if text])
    index = indexed(job, given, folder / "index")
    asked = zip(given.questions, unit_vectors(job, given.texts), strict=True)
    found = [
        judged(index, TEXT, query=vector, words=one.text, relevant=one.relevant, depth=CANDIDATES)
        for one, vector in asked
    ]
    scores, learned = ways(found, case.score)
    for one in learned:
        print(f"{given.name}: {one.why}", file=sys.stderr, flush=True)
    figures = summary(case, given, scores, learned)
    if importlib.util.find_spec("sentence_transformers") is None:
        print("sentence-transformers is not installed; vectors are not held against it.", file=sys.stderr)
        return figures
    return [*figures, peer_figure(case, given, scores[VECTORS])]


def indexed(job: "Job", given: RetrievalSet, folder: Path) -> "Snapshot":
    """An index over a set's items, by vectors and by words; an item without a text has no vector."""
    from flows.stages.encoders import encoder_digest
    from retrieval.items import Field, Items
    from retrieval.live import Writer, create_index, open_index

    vectors = unit_vectors(job, list(given.items.values()))
    digest = encoder_digest(job, TEXT)
    create_index(folder, fields={TEXT: Field(digest, vectors.shape[1])}, keyword=True, kind="flat")
    items = Items(
        ids=list(given.items),
        vectors={TEXT: vectors},
        present={TEXT: np.asarray(vectors.any(axis=1))},
        texts=list(given.items.values()),
    )
    Writer(folder, encoders={TEXT: digest}).upsert(items)
    return open_index(folder, encoders={TEXT: digest})


def ways(found: Sequence[Judged], score: Score) -> tuple[dict[str, np.ndarray], list[Learned]]:
    """Each question's score by each way, and what the halves taught."""
    near = [join(one.cosines, {}, share=0.0)[:CANDIDATES] for one in found]
    words = [list(one.keyword) for one in found]
    joined: list[list[str]] = [[]] * len(found)
    order, learned = np.random.default_rng(0).permutation(len(found)), []
    for half, other in ((order[::2], order[1::2]), (order[1::2], order[::2])):
        learned.append(learn_share([found[place] for place in half]))
        for place in other:
            joined[place] = join(found[place].cosines, found[place].keyword, share=learned[-1].share)
    ranks = [merged(both) for both in zip(near, words, strict=True)]
    rankings = {WORDS: words, VECTORS: near, RANKS: ranks, JOINED: joined}
    return {
        name: np.array([score(ranking, one.relevant) for ranking, one in zip(each, found, strict=True)])
        for name, each in rankings.items()
    }, learned


def merged(rankings: Sequence[Sequence[str]]) -> list[str]:
    """One ranking by ranks alone."""
    return [item for item, _ in reciprocal_rank_fusion(rankings, weights=[1.0] * len(rankings))]


def summary(
    case: Case, given: RetrievalSet, scores: Mapping[str, np.ndarray], learned: Sequence[Learned]
) -> list[Figure]:
    """Each way's mean; joined scores are held against the goal and against the better part."""
    label = f"{given.name}, {case.measure} over {len(given.questions)} questions"
    means = {name: float(values.mean()) for name, values in scores.items()}
    better = max((WORDS, VECTORS), key=means.__getitem__)
    gain = scores[JOINED] - scores[better]
    low, high = interval(gain)
    shares = " and ".join(f"{one.share:.3g}" for one in learned)
    shown = [
        Figure(name=f"{label}: {name}", value=round(means[name], 4), unit="", goal="shown", met=True)
        for name in (WORDS, VECTORS, RANKS)
    ]
    return [
        *shown,
        Figure(
            name=f"{label}: {JOINED}, shares {shares}",
            value=round(means[JOINED], 4),
            unit="",
            against=round(means[RANKS], 4),
            goal=f"at least {case.goal}",
            met=means[JOINED] >= case.goal,
        ),
        Figure(
            name=f"{label}: gain over {better}, {low:+.4f} to {high:+.4f}",
            value=round(float(gain.mean()), 4),
            unit="",
            against=round(means[better], 4),
            goal="interval not below 0",
            met=high >= 0,
        ),
    ]


def peer_figure(case: Case, given: RetrievalSet, ours: np.ndarray) -> Figure:
    """Vectors alone against sentence-transformers and an exact search."""
    model = peer()
    items, queries = (
        np.asarray(model.encode(texts, normalize_embeddings=True))
        for texts in (list(given.items.values()), given.texts)
    )
    ids = np.array(list(given.items))
    nearest = ids[np.argsort(-(queries @ items.T), axis=1, kind="stable")[:, :CANDIDATES]]
    theirs = np.array(
        [
            case.score(ranking, question.relevant)
            for ranking, question in zip(nearest.tolist(), given.questions, strict=True)
        ]
    )
    apart = float(ours.mean() - theirs.mean())
    return Figure(
        name=f"{given.name}, {case.measure}: vectors alone less sentence-transformers and exact search",
        value=round(apart, 4),
        unit="",
        against=round(float(theirs.mean()), 4),
        goal=f"within {TOLERANCE}",
        met=abs(apart) <= TOLERANCE,
    )


if __name__ == "__main__":
    main()
