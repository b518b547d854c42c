import os
from pathlib import Path

import pytest

from ingestion.readers import conll
from ingestion.readers.conll import ConllReader
from polyloom.errors import DataError, RequestError

COLUMNS = ("tokens", "tags")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "words.txt"


def read(path: Path, text: str | bytes, **options: object) -> list[tuple[int, object]]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    rows = ConllReader(path, **{"columns": COLUMNS, **options}).rows()
    return [(row.number, row.refusal.reason if row.refusal else dict(row.values)) for row in rows]


def sentence(tokens: list[str], tags: list[str], document: int | None = None) -> dict[str, object]:
    return {"tokens": tokens, "tags": tags, "document": document}


def test_sentences_documents_and_line_numbers(path: Path) -> None:
    text = "-DOCSTART- O\n\nthe O\r\nthe O\r\n\r\n\n伦敦 B-LOC\n\n-DOCSTART- O\n\n. O"
    assert read(path, text) == [
        (3, sentence(["the", "the"], ["O", "O"], 1)), (7, sentence(["伦敦"], ["B-LOC"], 1)),
        (11, sentence(["."], ["O"], 2)),
    ]  # fmt: skip


def test_no_document_is_none(path: Path) -> None:
    assert read(path, "a O\n") == [(1, sentence(["a"], ["O"]))]


def test_a_ragged_line_refuses_its_sentence_only(path: Path) -> None:
    assert read(path, "a O\n\nb O\nc\nd O\n\ne O\n") == [
        (1, sentence(["a"], ["O"])), (3, "ragged_row"), (7, sentence(["e"], ["O"])),
    ]  # fmt: skip
    refused = list(ConllReader(path, columns=COLUMNS).rows())[1]
    assert refused.content == "b O\nc\nd O"
    assert refused.refusal.message == (
        "token 2 of the sentence that starts on line 3 has 1 fields, but 2 columns are named: tokens, tags."
    )


def test_tokens_that_look_like_something_else(path: Path) -> None:
    # An ideographic space, a no-break space, a line separator and a hash are tokens like others.
    tokens = ["\u3000", "\u00a0", "\u2028", "#", "\x85"]
    text = "".join(f"{token}\tO\n" for token in tokens)
    assert read(path, text) == [(1, sentence(tokens, ["O"] * 5))]
    assert read(path, text.replace("\t", " ")) == [(1, sentence(tokens, ["O"] * 5))]


def test_tabs_keep_blanks_and_empty_fields(path: Path) -> None:
    assert read(path, "New York\tB\n\tO\n") == [(1, sentence(["New York", ""], ["B", "O"]))]
    assert read(path, "a   O\n b O \n") == [(1, sentence(["a", "b"], ["O", "O"]))]
    assert read(path, "a|O\n", separator="|") == [(1, sentence(["a"], ["O"]))]


def test_comments_where_they_are_declared(path: Path) -> None:
    text = "# sent_id = 1\n# text = a b\na\tO\nb\tO\n\n# last\nc\tO\n"
    assert read(path, text, comment="#") == [(3, sentence(["a", "b"], ["O", "O"])), (7, sentence(["c"], ["O"]))]
    assert read(path, text)[0] == (1, "ragged_row")


def test_encodings(path: Path) -> None:
    assert read(path, "北京 O\n".encode("gb18030"), encoding="gb18030") == [(1, sentence(["北京"], ["O"]))]
    assert read(path, b"a O\n\n\xff O\n\nb O\n") == [
        (1, sentence(["a"], ["O"])), (3, "bad_encoding"), (5, sentence(["b"], ["O"])),
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"words.txt cannot be read as utf-16: .*Declare the file's own encoding"):
        read(path, b"\xff\xfea\0 \0O\0\n\0\0", encoding="utf-16")


def test_a_sentence_without_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conll, "MAX_TOKENS", 3)
    assert read(path, "a O\n" * 5 + "\nb O\n") == [(1, "field_too_large"), (7, sentence(["b"], ["O"]))]


@pytest.mark.parametrize("columns", [(), ("tokens", "tokens"), ("tokens", "document")])
def test_columns_that_name_no_fields(path: Path, columns: tuple[str, ...]) -> None:
    with pytest.raises(RequestError, match=r"does not name the fields of a line. .*\[tokens, pos, chunk, tags\]"):
        read(path, "a O\n", columns=columns)


@pytest.mark.parametrize(
    ("part", "documents", "sentences", "tokens", "entities"),
    [
        ("train", 946, 14_041, 203_621, 23_499),
        ("valid", 216, 3_250, 51_362, 5_942),
        ("test", 231, 3_453, 46_435, 5_648),
    ],
)
def test_conll2003_has_the_counts_of_its_readme(
    part: str, documents: int, sentences: int, tokens: int, entities: int
) -> None:
    folder = Path(os.environ.get("POLYLOOM_DATA", "")) / "conll2003"
    if "POLYLOOM_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("POLYLOOM_DATA names no folder with conll2003")
    rows = list(ConllReader(folder / f"{part}.txt", columns=["tokens", "pos", "chunk", "ner"]).rows())
    tags = [tag for row in rows for tag in row.values["ner"]]
    assert [row.refusal for row in rows if row.refusal] == []
    assert (len(rows), len(tags), rows[-1].values["document"]) == (sentences, tokens, documents)
    assert sum(tag.startswith("B-") for tag in tags) == entities
    assert len(set(tags)) == 9
