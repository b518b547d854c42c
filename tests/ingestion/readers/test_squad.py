import json
from pathlib import Path

import pytest

from ingestion.readers.squad import SquadReader
from polyloom.errors import DataError


def read(folder: Path, articles: list[object]) -> list[object]:
    path = folder / "squad.json"
    path.write_text(json.dumps({"version": "v2.0", "data": articles}), encoding="utf-8")
    return [row.refusal.message if row.refusal else dict(row.values) for row in SquadReader(path).rows()]


def article(*questions: object, context: str = "The red hat.") -> dict[str, object]:
    return {"title": "Hats", "paragraphs": [{"context": context, "qas": list(questions)}]}


def question(**values: object) -> dict[str, object]:
    return {"id": "1", "question": "Which hat?", **values}


def test_answers_and_where_the_first_one_starts(tmp_path: Path) -> None:
    answers = [{"text": "red hat", "answer_start": 4}, {"text": "red", "answer_start": 4}]
    (row,) = read(tmp_path, [article(question(answers=answers))])
    assert row == {
        "id": "1",
        "title": "Hats",
        "paragraph": "1.1",
        "question": "Which hat?",
        "context": "The red hat.",
        "answers": ["red hat", "red"],
        "answer_start": 4,
    }


def test_an_impossible_question_has_no_answer(tmp_path: Path) -> None:
    impossible = question(answers=[], plausible_answers=[{"text": "red", "answer_start": 4}], is_impossible=True)
    (row,) = read(tmp_path, [article(impossible)])
    assert (row["answers"], row["answer_start"]) == ([], None)


def test_every_question_of_every_paragraph(tmp_path: Path) -> None:
    hats, shoes = article(question(answers=[]), question(id="2", answers=[])), article(question(id="3", answers=[]))
    rows = read(tmp_path, [hats, shoes])
    assert [(row["id"], row["paragraph"]) for row in rows] == [("1", "1.1"), ("2", "1.1"), ("3", "2.1")]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"title": "x"}, "is not an article: it has no list 'paragraphs'"),
        ({"paragraphs": ["x"]}, "'x' is not a paragraph: it has no list 'qas'"),
        (article("x"), "'x' is not a question"),
        (article(question()), "has no list 'answers'"),
        (article(question(answers=["red"])), "has no list 'answers' of objects with a 'text'"),
    ],
)
def test_what_is_no_question_is_refused_alone(tmp_path: Path, broken: object, message: str) -> None:
    good = article(question(answers=[]))
    first, refused, last = read(tmp_path, [good, broken, good])
    assert message in refused
    assert (first["paragraph"], last["paragraph"]) == ("1.1", "3.1")


def test_another_layout_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text('{"rows": []}')
    with pytest.raises(DataError, match=r"other\.json has no array 'data'"):
        list(SquadReader(path).rows())
