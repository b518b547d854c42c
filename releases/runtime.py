"""A release that answers: predictions and search over one bundle, without torch.

The command line, the pages, the API and downstream services all ask this class.
"""

import functools
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from heads.answers import Answer
from heads.decoder import rows_of
from heads.onnx import OnnxHead
from heads.onnx_sides import OnnxSide, side_graph
from modalities.encoders.onnx import OnnxEncoder, VectorEncoder, open_session
from modalities.preparation.loading import load_preparation
from modalities.preparation.protocol import Preparation
from polyloom.durable import read_json
from polyloom.errors import RequestError
from releases.bundle import verify
from releases.embedding_memory import EmbeddingMemory
from releases.encoding import encode
from releases.found import Found, Hit, Wishes
from releases.live_index import LiveIndex
from releases.live_uses import LiveUses, uses_place
from releases.query_vectors import QueryVectors
from releases.readable_rows import check_rows, readable_rows
from releases.search import Asked, Searcher

if TYPE_CHECKING:
    from releases.promise import Promise
    from releases.recommending import Recommendation, Recommending
    from retrieval.answering.asking import Answered, Generate
    from retrieval.answering.conversation import Conversation
    from retrieval.recommending.recommender import Event


@dataclass(frozen=True)
class Prediction:
    """Answers by task, and the modalities that the row did not have; a task that could read nothing has no answer."""

    answers: dict[str, Answer]
    missing: tuple[str, ...]


INDEX = "index"
TEXT_KINDS = frozenset({"text", "words", "marked", "entailment", "characters"})


class Runtime:
    """One verified bundle, opened. Safe to share between threads."""

    def __init__(
        self,
        *,
        folder: Path,
        digest: str,
        facts: dict[str, Any],
        blobs: Path | None,
        indexes: Path | None = None,
        threads: int = 0,
        remember: int = 0,
    ) -> None:
        self.folder = folder
        self.digest = digest
        self.name: str = facts["name"]
        self.title: str = facts["title"]
        self.facts = facts
        self.blobs = blobs
        self.threads = threads
        self._memory = EmbeddingMemory(kept=remember) if remember else None
        self.preparations: dict[str, Preparation] = {
            name: load_preparation(folder / "preparation" / name) for name in facts["modalities"]
        }
        self.encoders: dict[str, OnnxEncoder | VectorEncoder] = {
            name: self._encoder(name, entry) for name, entry in facts["modalities"].items()
        }
        self.heads: dict[str, OnnxHead] = {name: self._head(name) for name in facts["tasks"]}
        self._lock = threading.Lock()
        self._index = LiveIndex(folder / INDEX, facts=facts, indexes=indexes)
        self._uses = LiveUses(folder, place=None if indexes is None else uses_place(indexes, digest))
        self._recommender: tuple[object, Recommending] | None = None
        self._vectors = QueryVectors()
        self._sides: dict[tuple[str, str], OnnxSide] = {}

    @classmethod
    def open(
        cls,
        bundle: Path,
        *,
        blobs: Path | None = None,
        digest: str | None = None,
        indexes: Path | None = None,
        threads: int = 0,
        remember: int = 0,
    ) -> "Runtime":
        """Verify every byte of a bundle, then open it.

        `blobs` is where the items' pictures lie, `indexes` where the scenario's index lies if it changes after the
        release. A call uses so many `threads`, 0 for as many as there are cores; of each encoder the embeddings of so
        many last texts are remembered, if that changes no bit. Raises IntegrityError naming a file that is not as it
        was sealed.
        """
        manifest = verify(bundle, expected=digest)
        facts = read_json(bundle / "application.json")
        return cls(
            folder=bundle,
            digest=manifest.digest,
            facts=facts,
            blobs=blobs,
            indexes=indexes,
            threads=threads,
            remember=remember,
        )

    @property
    def metrics(self) -> dict[str, Any]:
        """The test figures of every task, as the run measured them."""
        figures: dict[str, Any] = read_json(self.folder / "metrics.json")
        return figures

    @property
    def card(self) -> str:
        """The model card, Markdown."""
        return (self.folder / "card.md").read_text(encoding="utf-8")

    @property
    def searchable(self) -> bool:
        """Whether the release holds an index."""
        return self.facts["index"] is not None

    def row(self, *, text: str | None = None, image: bytes | str | None = None) -> dict[str, object]:
        """A row out of words and a picture, put into the columns that the modalities read.

        Raises RequestError when nothing is given, or something that no modality reads.
        """
        if not (text and text.strip()) and image is None:
            raise RequestError("Nothing was asked: give a text of at least one character, a picture, or both.")
        row: dict[str, object] = {}
        if text and text.strip():
            row.update(self._columns(TEXT_KINDS, text, what="text"))
        if image is not None:
            row.update(self._columns(frozenset({"image"}), image, what="a picture"))
        return row

    def predict(self, rows: Sequence[Mapping[str, object]], *, top: int = 5) -> list[Prediction]:
        """Answers for rows (column -> value; pictures as bytes or paths); a missing modality is `None` or left out.

        Raises RequestError for a row that has none of any task's modalities.
        """
        outputs, present = self.outputs(rows)
        answers: list[dict[str, Answer]] = [{} for _ in rows]
        for task, found in outputs.items():
            head = self.heads[task]
            able = np.flatnonzero(readable_rows(head, present)).tolist()
            inputs = [self.preparations[head.inputs[0]].value(rows[row]) for row in able]
            for row, answer in zip(able, head.decoder.answers(rows_of(found, able), inputs, top=top), strict=True):
                answers[row][task] = answer
        return [
            Prediction(
                answers=answers[number],
                missing=tuple(name for name, mask in present.items() if not mask[number]),
            )
            for number in range(len(rows))
        ]

    def outputs(
        self, rows: Sequence[Mapping[str, object]], *, tasks: Sequence[str] | None = None
    ) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, np.ndarray]]:
        """Uncalibrated outputs of the tasks (all, or those named), first axis rows, and which modality each row has.

        A task none of whose modalities is there has no outputs.
        Raises RequestError for a row that has nothing that any of the tasks reads.
        """
        heads = {task: head for task, head in self.heads.items() if tasks is None or task in tasks}
        read = dict.fromkeys(name for head in heads.values() for name in head.inputs)
        values = {name: [self.preparations[name].value(row) for row in rows] for name in read}
        present = {name: np.array([value is not None for value in given], bool) for name, given in values.items()}
        check_rows(heads, present)
        fused = dict.fromkeys(name for head in heads.values() if head.pooled for name in head.inputs)
        embeddings = {name: self.embed(name, values[name]) for name in fused}
        found = {}
        for task, head in heads.items():
            if head.pooled:
                found[task] = head(embeddings, present)
            elif present[head.inputs[0]].any():
                (name,) = head.inputs
                found[task] = head.over_values(
                    values[name], preparation=self.preparations[name], encoder=self.encoders[name]
                )
        return found, present

    def embed(self, modality: str, values: Sequence[object | None]) -> np.ndarray:
        """Embeddings [values, dim]; zeros where a value is missing."""
        encoder = self.encoders[modality]
        result = np.zeros((len(values), encoder.dim), dtype=np.float32)
        places = [place for place, value in enumerate(values) if value is not None]
        if not places:
            return result
        given = [values[place] for place in places]
        work = functools.partial(encode, encoder, self.preparations[modality])
        memory = self._memory if isinstance(encoder, OnnxEncoder) else None
        result[places] = work(given) if memory is None else memory.embed(modality, given, work)
        return result

    def project(self, task: str, modality: str, values: Sequence[object | None]) -> np.ndarray:
        """Unit vectors [values, dim] in the space that an alignment task made of two modalities; zeros where missing.

        Raises RequestError for a task that is no alignment, and for a modality that it does not read.
        """
        head = self.heads.get(task)
        if head is None or head.reads != "pair":
            pairs = [name for name, known in self.heads.items() if known.reads == "pair"]
            raise RequestError(f"{task!r} is no alignment of {self.name!r}; it has {pairs or 'none'}.")
        if modality not in head.inputs:
            raise RequestError(f"{task!r} does not read {modality!r}; it reads {' and '.join(head.inputs)}.")
        return self.projected(task, modality, self.embed(modality, values))

    def projected(self, task: str, modality: str, embeddings: np.ndarray) -> np.ndarray:
        """Embeddings [rows, dim] of a modality in an alignment's space, at length one; zeros where they are zeros."""
        side = self._side(task, modality)
        known = np.flatnonzero(np.any(embeddings != 0, axis=1))
        result = np.zeros((len(embeddings), side.dim), dtype=np.float32)
        if len(known):
            result[known] = side(embeddings[known])
        return result

    def search(
        self,
        *,
        text: str | None = None,
        image: bytes | str | None = None,
        like: str | None = None,
        k: int = 10,
        where: str | None = None,
    ) -> list[Hit]:
        """The k best items for words, a picture, both, or another item's id; `where` filters by the items' columns.

        Raises RequestError for an impossible question, FilterError for a filter that cannot be understood.
        """
        return self.find(Wishes(k=k, where=where), text=text, image=image, like=like).hits

    def find(
        self,
        wishes: Wishes,
        *,
        text: str | None = None,
        image: bytes | str | None = None,
        like: str | None = None,
        learned: bool = False,
        but: Collection[str] = (),
    ) -> Found:
        """A page of hits for words, a picture, both, or another item's id, and what was counted among all candidates.

        With `learned` only items of the training split are found, and those of `but` never.

        Raises RequestError for an impossible question, FilterError for a filter that cannot be understood.
        """
        searcher = self.searcher
        if like is not None:
            return searcher.like(like, wishes)
        row = self._asked(searcher, text=text, image=image)
        vectors: dict[str, tuple[np.ndarray, float]] = {}
        for name in searcher.fields:
            if (vector := self._query(name, row)) is not None:
                vectors[name] = vector
        worded = next((name for name in vectors if self._is_text(name)), None)
        return searcher.find(Asked(vectors, words=text, worded=worded), wishes, learned=learned, but=but)

    def recommend(
        self, history: Sequence["Event"], *, k: int = 10, where: str | None = None, diversity: float | None = None
    ) -> list["Recommendation"]:
        """The k best items for what a user took; for an empty history the most popular.

        `where` holds beside the scenario's own filter. Raises RequestError where nothing is recommended, or for a
        question that cannot be, FilterError for a filter that cannot be understood.
        """
        return self._recommending().recommend(self.searcher, history, k=k, where=where, diversity=diversity)

    def ask(
        self,
        question: str,
        *,
        conversation: "Conversation | None" = None,
        k: int | None = None,
        generate: "Generate | None" = None,
        noted: bool = True,
    ) -> "Answered":
        """An answer with what it rests on, or a hand-over with the best guesses where it is not sure enough.

        What is read in a text may be put into other words by `generate`, of the question and the citations, or by the
        scenario's generator; a text that the citations do not say is not shown. Where the promise about its answers
        does not hold any more the answer says so, or is handed over where the scenario says so. A question that is
        not new, such as one that is asked again to check an answer, is not to be `noted`.

        Raises RequestError where the release answers nothing.
        """
        promise = self.promise
        from releases.answering import ask

        k = k or self.facts["answer"]["guesses"]
        found = ask(self, promise.folder, question, conversation=conversation, k=k, generate=generate)
        if conversation is None and noted:
            promise.note(question, found.score)
        return promise.held(found, question, conversation)

    @property
    def promise(self) -> "Promise":
        """What is promised of the answers, and whether it holds. Raises RequestError where the release answers none."""
        if not self.facts.get("answer"):
            raise RequestError(
                f"{self.name!r} answers no questions. Add a section `answer` to its scenario and run it again."
            )
        from releases.promise import Promise

        return Promise(self, self._uses)

    def _recommending(self) -> "Recommending":
        """The recommender in its present state. Raises RequestError where nothing is recommended."""
        settings = self.facts.get("recommend")
        if not settings:
            raise RequestError(
                f"{self.name!r} recommends nothing. Add a section `recommend` to its scenario and run it again."
            )
        # scipy takes its time, and a release that recommends nothing needs none.
        from releases.recommending import FOLDER, Recommending

        with self._lock:
            uses = self._uses.present()
            if self._recommender is None or self._recommender[0] != uses.stamp:
                place = uses.folder if (uses.folder / FOLDER).is_dir() else self.folder
                opened = Recommending.open(place / FOLDER, facts=settings, index=self.facts["index"])
                self._recommender = (uses.stamp, opened)
            return self._recommender[1]

    @property
    def searcher(self) -> Searcher:
        """The index in its present state. Raises RequestError when the release has none."""
        if not self.searchable:
            raise RequestError(f"{self.name!r} has no index. Add a section `index` to its scenario and run it again.")
        with self._lock:
            return self._index.searcher()

    @property
    def uses(self) -> str:
        """What recommends and answers now: `sealed` with the release, or the name of what was made later."""
        with self._lock:
            folder = self._uses.present().folder
        return "sealed" if folder == self.folder else folder.name

    def items(self) -> pa.Table:
        """The items' columns, one row an item, in the index's present state."""
        return self.searcher.snapshot.table()

    def _query(self, name: str, row: Mapping[str, object]) -> tuple[np.ndarray, float] | None:
        """A question's vector [1, dim] in a field of the index, and how far it can be read; None where it has none."""
        if name in self.heads:
            return self._aligned(name, row)
        value = self.preparations[name].value(row)
        if value is None:
            return None
        return self._vectors.of(name, value, lambda: self.embed(name, [value])), self._readable(name, value)

    def _aligned(self, task: str, row: Mapping[str, object]) -> tuple[np.ndarray, float] | None:
        """A question's place in the space of an alignment: that of its words, of its picture, or between both."""
        vectors = []
        for name in self.heads[task].inputs:
            value = self.preparations[name].value(row)
            if value is not None:
                project = functools.partial(self.project, task, name, [value])
                vectors.append(self._vectors.of(f"{task}.{name}", value, project))
        return (np.mean(vectors, axis=0), 1.0) if vectors else None

    def _is_text(self, name: str) -> bool:
        """Whether a field holds vectors of texts."""
        return name in self.preparations and self.preparations[name].kind == "text"

    def picture(self, blob: str) -> Path | None:
        """Where an item's picture lies, or None when this machine does not hold it."""
        path = self.blobs / blob[:2] / blob if self.blobs else None
        return path if path is not None and path.is_file() else None

    def _encoder(self, name: str, entry: dict[str, Any]) -> OnnxEncoder | VectorEncoder:
        if entry["encoder"] == "vector":
            return VectorEncoder(digest=entry["digest"], dim=entry["dim"])
        return OnnxEncoder(self.folder / "encoders" / name, digest=entry["digest"], threads=self.threads)

    def _head(self, task: str) -> OnnxHead:
        folder = self.folder / "heads" / task
        return OnnxHead(folder, session=open_session(folder / "model.onnx", threads=self.threads))

    def _side(self, task: str, modality: str) -> OnnxSide:
        with self._lock:
            if (task, modality) not in self._sides:
                graph = side_graph(self.folder / "heads" / task, self.heads[task].inputs, modality)
                self._sides[task, modality] = OnnxSide(open_session(graph))
            return self._sides[task, modality]

    def _asked(self, searcher: Searcher, *, text: str | None, image: bytes | str | None) -> dict[str, object]:
        """A question as a row; empty where the words of it are all, and only the keyword index reads them."""
        unread = searcher.keyword and not any(given.kind in TEXT_KINDS for given in self.preparations.values())
        if unread and text and text.strip():
            return {} if image is None else self.row(image=image)
        return self.row(text=text, image=image)

    def _columns(self, kinds: frozenset[str], value: object, *, what: str) -> dict[str, object]:
        columns = {
            getattr(given, "column", None) or given.columns[0]  # type: ignore[attr-defined]
            for given in self.preparations.values()
            if given.kind in kinds
        }
        if not columns:
            known = sorted({given.kind for given in self.preparations.values()})
            raise RequestError(
                f"{self.name!r} does not read {what}; its modalities are of the kinds {known}. "
                f"Give a row with its columns instead: `polyloom predict {self.name} --input rows.jsonl`."
            )
        return dict.fromkeys(columns, value)

    def _readable(self, name: str, value: object) -> float:
        """How much this modality's ranking counts: a text whose words the encoder does not know counts little."""
        known_share = getattr(self.preparations[name], "known_share", None)
        return float(known_share(str(value)) ** 2) if known_share else 1.0
