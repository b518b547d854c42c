import json

import pytest
from pypdf import PdfReader

from heads.answer_text import answer_words
from ingestion.demo.handbook import NOTHING
from ingestion.demo.pdf import pdf
from ingestion.readers.documents import DocumentsReader
from polyloom.sentences import sentences


@pytest.fixture(scope="module")
def rows(handbook):
    return [json.loads(line) for line in (handbook / "questions.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def said(handbook):
    """The sentences of each document, as the words that count."""
    found = {}
    for row in DocumentsReader(handbook / "documents", characters=400, overlap=0).rows():
        assert row.refusal is None
        text = row.values["text"]
        found.setdefault(row.source, []).extend(" ".join(answer_words(text[a:b])) for a, b in sentences(text))
    return found


def test_every_answer_stands_in_one_sentence_of_its_document(rows, said):
    for row in rows:
        for answer in row["answers"]:
            words = " ".join(answer_words(answer))
            assert any(f" {words} " in f" {one} " for one in said[row["document"]]), row


def test_enough_documents_and_questions_of_both_languages(rows, said):
    assert len(said) == 13
    assert {name.rpartition(".")[2] for name in said} == {"md", "html", "txt", "pdf"}
    assert len(rows) == len({row["question_id"] for row in rows}) == len({row["text"].lower() for row in rows})
    assert len(rows) > 500
    assert {row["document"] for row in rows} == {*said, NOTHING}
    assert {row["language"] for row in rows if row["document"].startswith("zh/")} == {"zh"}
    nothing = [row for row in rows if row["document"] == NOTHING]
    assert len(nothing) > 50
    assert not any(row["answers"] for row in nothing)
    assert all(row["answers"] for row in rows if row["document"] != NOTHING)


def test_a_pdf_holds_its_pages(tmp_path):
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf(["One (1) page.\n\nAnother \\ part.", "Café, 5 €."]))
    pages = PdfReader(path, strict=True).pages
    assert [page.extract_text().strip().split("\n") for page in pages] == [
        ["One (1) page.", "Another \\ part."],
        ["Café, 5 €."],
    ]


def test_what_is_hidden_in_a_page_is_not_read(said):
    assert not any("emailed" in one or "sent by email" in one for one in said["privacy.html"])
    assert not any("hundred years" in one for one in said["returns.html"])
