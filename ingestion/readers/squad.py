"""Questions with their contexts and answers in SQuAD's JSON; a row is a question."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ijson  # type: ignore[import-untyped]  # it brings no types

from ingestion.readers.encodings import checked_codec
from ingestion.readers.json_array import arrays_of, opened_json, without_decimals
from ingestion.readers.reader import RawRow, refused_row
from ingestion.refusals import Refusal, shown
from polyloom.errors import DataError

COLUMNS = ("id", "title", "paragraph", "question", "context", "answers", "answer_start")
ARRAY = "data"


class SquadReader:
    """The questions of one file of SQuAD 1.1 or 2.0, XQuAD, CMRC 2018 or another that is laid out alike.

    Columns: `id`, `title` (the article's), `paragraph` (its article's number and its own, such as `3.1`), `question`,
    `context`, `answers` (the accepted texts; none where the question is marked impossible) and `answer_start` (the
    first answer's character in the context, None without one).
    Rajpurkar et al., "SQuAD" (2016) and "Know What You Don't Know" (2018). A row's number is its place in the file.
    """

    def __init__(self, path: Path, *, encoding: str = "utf-8") -> None:
        self._path = path
        self._codec = checked_codec(encoding, path)
        if not path.stat().st_size:
            raise DataError(f"{path.name} is empty. Put a JSON object with the array {ARRAY!r} of articles there.")

    def header(self) -> frozenset[str]:
        """The seven columns."""
        return frozenset(COLUMNS)

    def rows(self) -> Iterator[RawRow]:
        """Every question; what is not one is refused."""
        if ARRAY not in (arrays_of(self._path, codec=self._codec) or []):
            raise DataError(
                f"{self._path.name} has no array {ARRAY!r}. SQuAD's layout is "
                '{"data": [{"title": …, "paragraphs": [{"context": …, "qas": [{"question": …, "answers": […]}]}]}]}.'
            )
        with opened_json(self._path, codec=self._codec) as stream:
            articles = map(without_decimals, ijson.items(stream, f"{ARRAY}.item"))
            questions = (found for place, article in enumerate(articles, 1) for found in questions_of(article, place))
            for number, found in enumerate(questions, start=1):
                yield self._row(number, found)

    def _row(self, number: int, found: "dict[str, object] | Refused") -> RawRow:
        if isinstance(found, Refused):
            return refused_row(self._path.name, number, Refusal("bad_json", found.message), found.content)
        return RawRow(self._path.name, number, found)


class Refused:
    """A part of the file that is no question, and why."""

    def __init__(self, message: str, content: object) -> None:
        self.message = message
        self.content = str(content)


def questions_of(article: Any, place: int) -> Iterator[dict[str, object] | Refused]:
    """The questions of the article at a place, over all its paragraphs."""
    if not isinstance(article, dict) or not isinstance(article.get("paragraphs"), list):
        yield Refused(f"{shown(article)} is not an article: it has no list 'paragraphs'.", article)
        return
    for number, paragraph in enumerate(article["paragraphs"], start=1):
        if not isinstance(paragraph, dict) or not isinstance(paragraph.get("qas"), list):
            yield Refused(f"{shown(paragraph)} is not a paragraph: it has no list 'qas'.", paragraph)
            continue
        names = {"title": article.get("title"), "paragraph": f"{place}.{number}"}
        given = {**names, "context": paragraph.get("context")}
        yield from (question_row(question, given) for question in paragraph["qas"])


def question_row(question: Any, given: dict[str, object]) -> dict[str, object] | Refused:
    """A question with its paragraph's columns."""
    if not isinstance(question, dict) or "question" not in question:
        return Refused(f"{shown(question)} is not a question: it has no 'question'.", question)
    answers = [] if question.get("is_impossible") else question.get("answers")
    if not isinstance(answers, list) or not all(isinstance(one, dict) and "text" in one for one in answers):
        return Refused(f"{shown(question)} has no list 'answers' of objects with a 'text'.", question)
    return {
        "id": question.get("id"),
        **given,
        "question": question["question"],
        "answers": [one["text"] for one in answers],
        "answer_start": answers[0].get("answer_start") if answers else None,
    }
