"""A keyword index on disk: BM25 (by bm25s) over the terms of texts, immutable, memory-mapped.

A folder with bm25s' arrays, the terms, and `keywords.json` with the digests of these and its own.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from polyloom.durable import file_digest, json_digest, publish_folder, write_json
from polyloom.errors import IntegrityError, RequestError
from retrieval.records import AGAIN, read_record
from retrieval.words import Term, terms

RECORD = "keywords.json"
# The library's own; on the English data that was tried within 0.006 of the best.
STEEPNESS, LENGTHS = 1.5, 0.75


class Found(NamedTuple):
    """Places of the items that hold a term of the query, best first, and their scores."""

    places: np.ndarray
    scores: np.ndarray


class KeywordIndex:
    """An open index over texts at the places 0, 1, ..."""

    def __init__(self, index: Any, *, vocabulary: Mapping[str, int], count: int) -> None:
        self._index = index
        self._vocabulary = vocabulary
        self._count = count

    def __len__(self) -> int:
        return self._count

    def search(self, query: str, k: int, *, allowed: np.ndarray | None = None) -> Found:
        """The k best of the items that hold a term of the query, of those `allowed`, bool [items].

        Equal scores stand in the order of their places. Raises RequestError for k < 1 or a query without a term.
        """
        if k < 1:
            raise RequestError(f"k is {k}; ask for at least 1 hit.")
        asked = query_terms(query)
        known = self._known(asked)
        if not known:
            return Found(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32))
        scores = self._index.get_scores_from_ids(known)
        if allowed is not None:
            scores = np.where(allowed, scores, 0.0)
        places = np.flatnonzero(scores > 0)
        if len(places) > k:
            least = -np.partition(-scores[places], k - 1)[k - 1]
            places = places[scores[places] >= least]
        order = np.lexsort((places, -scores[places]))[:k]
        return Found(places[order], scores[places[order]])

    def explain(self, query: str, place: int) -> dict[str, float]:
        """What each term of the query adds to an item's score, the largest first; terms that it lacks are left out."""
        found = {}
        for text, times in Counter(term.text for term in query_terms(query)).items():
            if text in self._vocabulary and (score := self._score(self._vocabulary[text], place)) > 0:
                found[text] = times * score
        return dict(sorted(found.items(), key=lambda pair: -pair[1]))

    def _score(self, term: int, place: int) -> float:
        """What one term adds to an item, read among those that hold the term alone."""
        kept = self._index.scores
        begin, end = kept["indptr"][term : term + 2]
        return float(kept["data"][begin:end][kept["indices"][begin:end] == place].sum())

    def _known(self, asked: Sequence[Term]) -> list[int]:
        """The numbers of the terms that some item holds."""
        return [self._vocabulary[term.text] for term in asked if term.text in self._vocabulary]


def query_terms(query: str) -> list[Term]:
    """The terms of a query. Raises RequestError when it has none."""
    found = terms(query)
    if not found:
        raise RequestError(f"{query!r} has no word to search for. Ask with at least one letter or digit.")
    return found


def build_keywords(folder: Path, texts: Sequence[str]) -> str:
    """Publish an index over `texts` in `folder`; gives its digest. The same texts give the same bytes."""
    from bm25s import BM25

    content = [[term.text for term in terms(text)] for text in texts]
    vocabulary = {term: number for number, term in enumerate(sorted({term for one in content for term in one}))}
    with publish_folder(folder) as draft:
        if vocabulary:
            index = BM25(k1=STEEPNESS, b=LENGTHS, method="lucene")
            numbers = [[vocabulary[term] for term in one] for one in content]
            index.index((numbers, vocabulary), show_progress=False)
            index.save(draft, show_progress=False)
        names = sorted(path.name for path in draft.iterdir())
        facts = {
            "count": len(texts),
            "terms": len(vocabulary),
            "files": {name: file_digest(draft / name) for name in names},
        }
        write_json(draft / RECORD, {**facts, "digest": json_digest(facts)})
    return json_digest(facts)


def open_keywords(folder: Path) -> KeywordIndex:
    """The index in `folder`. Raises IntegrityError naming the file that is missing or changed."""
    record = read_record(folder / RECORD)
    for name, digest in record["files"].items():
        if not (folder / name).is_file():
            raise IntegrityError(f"{folder / name} is missing. {AGAIN}")
        if file_digest(folder / name) != digest:
            raise IntegrityError(f"{folder / name} is not what was recorded. {AGAIN}")
    if not record["terms"]:
        # Of texts without a single term bm25s makes no index.
        return KeywordIndex(None, vocabulary={}, count=record["count"])
    from bm25s import BM25

    index = BM25.load(folder, mmap=True, show_progress=False)
    return KeywordIndex(index, vocabulary=index.vocab_dict, count=record["count"])
