"""Questions with the words that answer them, asked of documents: what is read must hold these words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flows.use_spec import KnownAnswers
from heads.answer_text import answer_words, word_f1
from ingestion.snapshots import open_snapshot
from polyloom.home import home
from releases.answering import candidates
from releases.promise import present_snapshot
from releases.reading import SENTENCE, rarity, reader
from releases.runtime import Runtime
from retrieval.answering.asking import DEPTH, LONGEST_QUESTION, cut_question
from retrieval.answering.confidence import FEATURES, evidence

MOST = 2000
# Of the words of a span and of an accepted answer: from here on they are the same stretch, cut otherwise.
SAME_STRETCH = 0.5


def known_answers(runtime: Runtime, settings: KnownAnswers, snapshot: Path | None) -> list[dict[str, Any]]:
    """Every question as `asked`, with the `accepted` texts and its split; of a snapshot, else of what the index holds.

    Raises: IntegrityError where that snapshot is gone.
    """
    if snapshot is None:
        snapshot = home() / "snapshots" / runtime.name / present_snapshot(runtime)
    columns = [settings.text, settings.answer, "_split"]
    rows = open_snapshot(snapshot).table(settings.rows, columns).to_pylist()
    return [
        {"asked": str(row[settings.text]), "accepted": accepted(row[settings.answer]), "_split": row["_split"]}
        for row in rows
        if row[settings.text]
    ]


def accepted(value: object) -> list[str]:
    """The texts any of which is the answer; none where nothing answers."""
    given = value if isinstance(value, list) else [value]
    return [str(one) for one in given if one is not None and answer_words(str(one))]


def known_questions(table: Sequence[dict[str, Any]], splits: Sequence[str], *, seed: int) -> list[dict[str, Any]]:
    """The questions of these splits, at most so many, drawn alike."""
    rows = [row for row in table if row["_split"] in splits]
    order = np.random.default_rng(seed).permutation(len(rows))[:MOST]
    return [rows[place] for place in np.sort(order)]


def judged_readings(
    runtime: Runtime, asked: Sequence[dict[str, Any]], *, but_itself: bool, bar: Any
) -> tuple[np.ndarray, np.ndarray]:
    """For each question what speaks for what is read [questions, features], and whether it is right.

    No question is an item of the index, so none has to be left out.
    """
    del but_itself
    read, rare, whole = reader(runtime), rarity(runtime), runtime.facts["answer"]["read"] == SENTENCE
    values, right = np.zeros((len(asked), len(FEATURES))), np.zeros(len(asked), dtype=bool)
    for place, row in enumerate(asked):
        question, _ = cut_question(row["asked"], longest=LONGEST_QUESTION)
        found = candidates(runtime, question, count=DEPTH)
        said = read(question, found[0].text) if found and read is not None else None
        values[place] = evidence(question, found, read=said, rarity=rare)
        right[place] = said is not None and is_right(said.text, row["accepted"], whole=whole)
        bar.advance(1)
    return values, right


def is_right(said: str, answers: Sequence[str], *, whole: bool) -> bool:
    """Whether a sentence (`whole`) holds the words of an accepted answer, or a span is one; without any none is."""
    if whole:
        return any(holds(answer_words(said), answer_words(one)) for one in answers)
    return bool(answers) and word_f1(said, answers) >= SAME_STRETCH


def holds(words: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether words stand in others, one after the other."""
    return any(words[at : at + len(wanted)] == wanted for at in range(len(words) - len(wanted) + 1))
