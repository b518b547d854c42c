"""Chinese by words alone: titles to their best replies, and pairs of characters to what holds them."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure, below
from benchmarks.retrieval_rows import RetrievalSet, baoxian
from benchmarks.retrieval_scores import FIRST, one_of_ten_answers

GOAL, BASELINE = 0.52, 0.499
PAIRS, LEADING = 500, 0.99
CHARACTERS = re.compile("[\u4e00-\u9fff]+")


def chinese_figures(data: Path, folder: Path, *, questions: int | None) -> list[Figure]:
    """Recall of the replies, and what pairs of characters find."""
    from retrieval.items import Items
    from retrieval.live import Writer, create_index, open_index

    given = baoxian(data).cut(questions)
    create_index(folder, fields={}, keyword=True)
    Writer(folder, encoders={}).upsert(Items(ids=list(given.items), vectors={}, texts=list(given.items.values())))
    words = open_index(folder, encoders={}).keywords
    assert words is not None

    def ranking(query: str, k: int) -> list[str]:
        return [item for item, _ in words.search(query, k)]

    recall = np.mean([one_of_ten_answers(ranking(one.text, FIRST), one.relevant) for one in given.questions])
    held = {pair: holding(pair, given) for pair in frequent_pairs(given.items.values())}
    found = {pair: ranking(pair, len(given.items)) for pair in held}
    missed = sum(len(own - set(found[pair])) for pair, own in held.items())
    first = [(found[pair][:FIRST], own) for pair, own in held.items()]
    leading = np.mean([len(own & set(hits)) / min(FIRST, len(own)) for hits, own in first])
    pairs = f"{given.name}, the {len(held)} most frequent pairs of characters"
    return [
        Figure(
            name=f"{given.name}, {len(given.questions)} titles to a best reply among {len(given.items)}: recall@10",
            value=round(float(recall), 4),
            unit="",
            against=BASELINE,
            goal=f"at least {GOAL}",
            met=bool(recall >= GOAL),
        ),
        below(f"{pairs}: replies that hold one and are not found by it", missed, "replies", limit=0),
        Figure(
            name=f"{pairs}: share of the first ten that hold it",
            value=round(float(leading), 4),
            unit="",
            goal=f"at least {LEADING}",
            met=bool(leading >= LEADING),
        ),
    ]


def frequent_pairs(texts: Iterable[str]) -> list[str]:
    """The pairs of neighbouring characters that most texts hold: nearly all of them are words."""
    count: Counter[str] = Counter()
    for text in texts:
        runs = CHARACTERS.findall(text)
        count.update({run[place : place + 2] for run in runs for place in range(len(run) - 1)})
    return [pair for pair, _ in count.most_common(PAIRS)]


def holding(pair: str, given: RetrievalSet) -> set[str]:
    """The items that hold a pair."""
    return {item for item, text in given.items.items() if pair in text}
