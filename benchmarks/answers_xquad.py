"""XQuAD's English articles as documents: whether passage and sentence are right, and what nothing answers is noticed.

Questions of articles at even places chose the settings (how long passages are, how much words count, the weights of
reading); those at odd places chose nothing and are shown beside all.
"""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.answers_index import Entry, Finder, Vectors
from benchmarks.answers_resplits import ALPHA, DELTA, Asked, Outcome, broken_share, coverage, mean_error, resplit
from benchmarks.figures import Figure
from ingestion.documents.document import Document
from ingestion.documents.passages import CHARACTERS, OVERLAP, Passage, passages
from polyloom.sentences import Stretch, sentences
from retrieval.answering.candidates import Candidate
from retrieval.answering.confidence import evidence
from retrieval.answering.reading import Read, SentenceReader, alone, rarity_in, together
from retrieval.joining import USUAL_SHARE

SHARE = USUAL_SHARE
PASSAGE_GOAL, SENTENCE_GOAL = 0.94, 0.75


@dataclass(frozen=True)
class Question:
    """A question, and the characters of the context `source` that answer it."""

    text: str
    article: int
    source: str
    start: int
    end: int


@dataclass(frozen=True)
class Found:
    """What was found for a question, and what was read in the first."""

    candidates: Sequence[Candidate]
    read: Read | None


def xquad_questions(data: Path) -> tuple[list[Document], list[Question]]:
    """The contexts as documents, and the questions."""
    content = json.loads((data / "xquad" / "xquad.en.json").read_text(encoding="utf-8"))
    documents: list[Document] = []
    questions: list[Question] = []
    for article, one in enumerate(content["data"]):
        for paragraph in one["paragraphs"]:
            source = str(len(documents))
            documents.append(Document(source, "text", paragraph["context"]))
            for asked in paragraph["qas"]:
                answer = asked["answers"][0]
                begin = answer["answer_start"]
                questions.append(Question(asked["question"], article, source, begin, begin + len(answer["text"])))
    return documents, questions


IsRight = Callable[[Question, Found], bool]


class Bench:
    """The index over the contexts' passages, and its reader."""

    def __init__(
        self, data: Path, folder: Path, *, characters: int = CHARACTERS, overlap: int = OVERLAP, share: float = SHARE
    ) -> None:
        self.documents, self.questions = xquad_questions(data)
        cut = [one for document in self.documents for one in passages(document, characters=characters, overlap=overlap)]
        said = [text for passage in cut for text in (*_said(passage, alone), *_said(passage, together))]
        self.embed = Vectors(folder / "run", [passage.text for passage in cut])
        self.embed.learn([*said, *(question.text for question in self.questions)])
        entries = [Entry(one.id, one.text, source=one.source, start=one.start) for one in cut]
        self.finder = Finder(folder / "index", entries, embed=self.embed)
        self.share = share
        rarity = rarity_in(text for passage in cut for text in _said(passage, alone))
        self.reader = SentenceReader(self.embed, rarity=rarity)
        self.own = {
            document.source: [one.id for one in cut if one.source == document.source] for document in self.documents
        }

    def find(self, question: Question, *, without: Collection[str] = ()) -> Found:
        """The candidates, and the sentence that is read in the first."""
        candidates = self.finder.find(question.text, share=self.share, without=without)
        return Found(candidates, self.reader(question.text, candidates[0].text))

    def asked(self, found: Sequence[Found], lost: Sequence[Found], *, seed: int) -> Asked:
        """Every other question, by chance, without its context in the index; rows of a context are one group."""
        gone = np.random.default_rng([seed, 2]).random(len(found)) < 0.5
        given = [other if is_gone else one for one, other, is_gone in zip(found, lost, gone, strict=True)]
        rows = [
            evidence(question.text, one.candidates, read=one.read, rarity=self.finder.rarity)
            for question, one in zip(self.questions, given, strict=True)
        ]
        right = [names_passage(question, one) for question, one in zip(self.questions, given, strict=True)]
        groups = np.array([int(question.source) for question in self.questions])
        return Asked(np.stack(rows), np.array(right), groups, ~gone)


def xquad_figures(data: Path, folder: Path, *, resplits: int) -> list[Figure]:
    """All figures."""
    bench = Bench(data, folder)
    found = [bench.find(question) for question in bench.questions]
    lost = [bench.find(question, without=bench.own[question.source]) for question in bench.questions]
    figures = [
        *right_figures("cited passage holds the answer", bench, found, names_passage, PASSAGE_GOAL),
        *right_figures("named sentence holds the answer", bench, found, names_sentence, SENTENCE_GOAL),
    ]
    outcomes = [resplit(bench.asked(found, lost, seed=seed), seed=seed) for seed in range(resplits)]
    return [*figures, *abstaining_figures(outcomes)]


def names_passage(question: Question, found: Found) -> bool:
    """Whether the first passage holds the answer."""
    first = found.candidates[0]
    return first.source == question.source and first.start <= question.start and question.end <= first.end


def names_sentence(question: Question, found: Found) -> bool:
    """Whether the sentence that was read holds the answer."""
    first, read = found.candidates[0], found.read
    if read is None or first.source != question.source:
        return False
    return first.start + read.start <= question.start and question.end <= first.start + read.end


def right_figures(name: str, bench: Bench, found: Sequence[Found], right: IsRight, goal: float) -> list[Figure]:
    """The share of all questions, and of those that chose nothing."""
    good = np.array([right(question, one) for question, one in zip(bench.questions, found, strict=True)])
    untouched = np.array([question.article % 2 == 1 for question in bench.questions])
    return [
        Figure(
            name=f"xquad: {name}, {label}, {mask.sum()} questions",
            value=round(float(good[mask].mean()), 4),
            unit="",
            goal=f"at least {goal}",
            met=bool(good[mask].mean() >= goal),
        )
        for label, mask in (("all", np.ones(len(good), dtype=bool)), ("untouched articles", untouched))
    ]


def abstaining_figures(outcomes: Sequence[Outcome]) -> list[Figure]:
    """Half of the questions without their context, calibrated on half of the contexts, over resplits."""
    label = f"xquad, half of the questions unanswerable, {len(outcomes)} resplits by context"
    unanswerable = sum(one.unanswerable for one in outcomes)
    abstained = sum(one.abstained for one in outcomes) / unanswerable
    broken = broken_share(outcomes)
    silent = sum(not one.promised for one in outcomes)
    return [
        Figure(
            name=f"{label}: share with more than {ALPHA} wrong among the answered",
            value=round(broken, 4),
            unit="",
            goal=f"at most {DELTA}",
            met=broken <= DELTA,
        ),
        Figure(
            name=f"{label}: wrong among the answered",
            value=round(mean_error(outcomes), 4),
            unit="",
            goal=f"at most {ALPHA}",
            met=mean_error(outcomes) <= ALPHA,
        ),
        Figure(
            name=f"{label}: unanswerable handed over",
            value=round(abstained, 4),
            unit="",
            goal=f"at least {1 - ALPHA}",
            met=abstained >= 1 - ALPHA,
        ),
        Figure(
            name=f"{label}: answered of all, {silent} without a threshold",
            value=round(coverage(outcomes), 4),
            unit="",
            goal="shown",
            met=True,
        ),
    ]


def _said(passage: Passage, way: Callable[[str, Sequence[Stretch]], list[str]]) -> list[str]:
    return way(passage.text, sentences(passage.text))
