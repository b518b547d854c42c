import collections
import json

import pytest

from ingestion.demo.helpdesk import TOPICS

COLUMNS = ["question_id", "text", "language", "answer_id", "topic", "answer"]


@pytest.fixture(scope="module")
def rows(support):
    return [json.loads(line) for line in (support / "questions.jsonl").read_text(encoding="utf-8").splitlines()]


def is_chinese(text):
    return any("\u4e00" <= letter <= "\u9fff" for letter in text)


def test_every_row_is_complete_and_unique(rows):
    assert all(list(row) == COLUMNS for row in rows)
    assert len({row["question_id"] for row in rows}) == len(rows)
    assert len({row["text"].lower() for row in rows}) == len(rows)
    assert {row["topic"] for row in rows} == set(TOPICS)


def test_enough_questions_with_enough_wordings(rows):
    wordings = collections.Counter((row["answer_id"], row["language"]) for row in rows if row["topic"] != "off_topic")
    answers = {answer for answer, _ in wordings}
    assert len(answers) >= 120
    assert all(wordings[answer, "en"] >= 4 and wordings[answer, "zh"] >= 3 for answer in answers)


def test_text_and_answer_are_in_the_language_they_say(rows):
    for row in rows:
        assert is_chinese(row["text"]) == (row["language"] == "zh")
        if row["answer"]:
            assert is_chinese(row["answer"]) == (row["language"] == "zh")


def test_one_answer_an_id_and_language(rows):
    answers = collections.defaultdict(set)
    for row in rows:
        answers[row["answer_id"], row["language"]].add((row["topic"], row["answer"]))
    assert all(len(found) == 1 for found in answers.values())
    texts = [answer for found in answers.values() for _, answer in found if answer]
    assert len(set(texts)) == len(texts)


def test_off_topic_questions_have_no_answer(rows):
    off_topic = [row for row in rows if row["topic"] == "off_topic"]
    assert len(off_topic) >= 80
    assert {row["language"] for row in off_topic} == {"en", "zh"}
    assert all((row["answer_id"], row["answer"]) == ("none", "") for row in off_topic)
    assert all(row["answer"] for row in rows if row["topic"] != "off_topic")


def test_wordings_differ_by_more_than_a_prefix(rows):
    by_answer = collections.defaultdict(list)
    for row in rows:
        if row["topic"] != "off_topic":
            by_answer[row["answer_id"], row["language"]].append(row["text"].strip("?.？。").lower())
    for texts in by_answer.values():
        for text in texts:
            assert not any(other != text and (other.endswith(text) or other.startswith(text)) for other in texts), text
