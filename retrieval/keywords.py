"""The keyword index of one segment on disk: BM25 (by bm25s) over the terms of texts, immutable, memory-mapped."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from polyloom.durable import read_json, write_json
from retrieval.words import terms

RECORD = "keywords.json"
# The library's own; on the English data that was tried within 0.006 of the best.
STEEPNESS, LENGTHS = 1.5, 0.75


class Postings(NamedTuple):
    """Places of the items that hold a term, ascending, and what it adds to each, float32."""

    places: np.ndarray
    scores: np.ndarray


NOWHERE = Postings(np.zeros(0, np.int64), np.zeros(0, np.float32))


class KeywordIndex:
    """An open index over texts at the places 0, 1, ..."""

    def __init__(self, index: Any, *, vocabulary: Mapping[str, int], count: int) -> None:
        self._index = index
        self._vocabulary = vocabulary
        self._count = count

    def __len__(self) -> int:
        return self._count

    def postings(self, term: str) -> Postings:
        """What a term adds to the texts that hold it, by how rare it is among this segment's texts."""
        number = self._vocabulary.get(term)
        if number is None:
            return NOWHERE
        kept = self._index.scores
        begin, end = kept["indptr"][number : number + 2]
        return Postings(kept["indices"][begin:end], kept["data"][begin:end])

    def holders(self, term: str) -> int:
        """How many of the texts hold a term."""
        return len(self.postings(term).places)


def rarity(*, count: int, holders: int) -> float:
    """The inverse document frequency, as Lucene and bm25s reckon it: above 0, also for a term that all texts hold."""
    return math.log(1 + (count - holders + 0.5) / (holders + 0.5))


def write_keywords(folder: Path, texts: Sequence[str]) -> None:
    """Write an index over `texts` into a new folder. The same texts give the same bytes."""
    from bm25s import BM25

    content = [[term.text for term in terms(text)] for text in texts]
    vocabulary = {term: number for number, term in enumerate(sorted({term for one in content for term in one}))}
    folder.mkdir(parents=True)
    if vocabulary:
        index = BM25(k1=STEEPNESS, b=LENGTHS, method="lucene")
        numbers = [[vocabulary[term] for term in one] for one in content]
        index.index((numbers, vocabulary), show_progress=False)
        index.save(folder, show_progress=False)
    write_json(folder / RECORD, {"count": len(texts), "terms": len(vocabulary)})


def open_keywords(folder: Path) -> KeywordIndex:
    """The index that `write_keywords` left."""
    record = read_json(folder / RECORD)
    if not record["terms"]:
        # Of texts without a single term bm25s makes no index.
        return KeywordIndex(None, vocabulary={}, count=record["count"])
    from bm25s import BM25

    index = BM25.load(folder, mmap=True, show_progress=False)
    return KeywordIndex(index, vocabulary=index.vocab_dict, count=record["count"])
