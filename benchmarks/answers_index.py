"""Texts that are searched by MiniLM and by words, and what is found as candidates of an answer."""

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.retrieval_encoder import TEXT, prepared_job, unit_vectors
from retrieval.answering.candidates import Candidate
from retrieval.answering.reading import Rarity, rarity_in

if TYPE_CHECKING:
    from flows.stages.job import Job

# As many of each ranking are joined as in a release.
CANDIDATES, KEPT = 100, 20


class Vectors:
    """MiniLM's unit vectors by text; each different text is embedded once."""

    def __init__(self, folder: Path, texts: Sequence[str]) -> None:
        self._known: dict[str, np.ndarray] = {}
        self._job: Job = prepared_job(folder, texts[:200])
        self.learn(texts)

    def learn(self, texts: Collection[str]) -> None:
        """Embed what is not known."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            print(f"{len(new):,} texts are embedded", file=sys.stderr, flush=True)
            self._known |= dict(zip(new, unit_vectors(self._job, new), strict=True))

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors [texts, dim]."""
        self.learn(texts)
        return np.stack([self._known[text] for text in texts])


@dataclass(frozen=True)
class Entry:
    """A text that is searched: where it stands, and which answer it leads to."""

    id: str
    text: str
    answer: str | None = None
    source: str = ""
    start: int = 0


class Finder:
    """An index over entries, by vectors and by words."""

    def __init__(self, folder: Path, entries: Sequence[Entry], *, embed: Vectors) -> None:
        from retrieval.items import Field, Items
        from retrieval.live import open_index, publish_index

        vectors = embed([entry.text for entry in entries])
        items = Items(
            ids=[entry.id for entry in entries], vectors={TEXT: vectors}, texts=[entry.text for entry in entries]
        )
        publish_index(folder, items, fields={TEXT: Field("minilm", vectors.shape[1])}, keyword=True, kind="flat")
        self.index = open_index(folder, encoders={TEXT: "minilm"})
        self.entries: Mapping[str, Entry] = {entry.id: entry for entry in entries}
        self.rarity: Rarity = rarity_in(entry.text for entry in entries)
        self.embed = embed

    def find(self, question: str, *, share: float, without: Collection[str] = ()) -> list[Candidate]:
        """The best candidates for a question, but for the entries `without`."""
        from retrieval.hybrid import judged

        depth = CANDIDATES + len(without)
        found = judged(self.index, TEXT, query=self.embed([question])[0], words=question, relevant=(), depth=depth)
        most = max(found.keyword.values(), default=1.0)
        scores = {name: cosine + share * found.keyword.get(name, 0.0) / most for name, cosine in found.cosines.items()}
        best = sorted(scores, key=lambda name: (-scores[name], name))
        kept = [self.entries[name] for name in best if name not in without][:KEPT]
        return [
            Candidate(
                id=one.id,
                source=one.source or one.id,
                start=one.start,
                end=one.start + len(one.text),
                text=one.text,
                score=scores[one.id],
                cosine=found.cosines[one.id],
                keyword=found.keyword.get(one.id, 0.0),
                answer=one.answer,
            )
            for one in kept
        ]
