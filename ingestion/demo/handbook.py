"""The handbook of the made-up shop: documents in English and Chinese, and hand-written questions about them.

The documents lie in `handbook_files/documents` as they are, but for the PDF, whose pages are drawn from the texts in
`handbook_files/pdf`. A TOML file for each document has its facts: the words that answer, and what is `asked`. What no
document answers stands in `none.toml`.
"""

import json
import tomllib
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np

from ingestion.demo.pdf import pdf

NOTHING = "none"
PAGE_BREAK = "\n---\n"
Row = dict[str, str | list[str]]


def write_handbook(folder: Path, *, seed: int) -> None:
    """The documents, and the questions as one JSON object a line in an order drawn by the seed."""
    copy_documents(files() / "documents", folder / "documents")
    for page in sorted((files() / "pdf").iterdir(), key=lambda one: one.name):
        pages = page.read_text(encoding="utf-8").split(PAGE_BREAK)
        (folder / "documents" / page.name).with_suffix(".pdf").write_bytes(pdf(pages))
    rows = [row for one in sorted((files() / "questions").iterdir(), key=lambda one: one.name) for row in rows_of(one)]
    order = np.random.default_rng([seed, 5]).permutation(len(rows))
    lines = [json.dumps(rows[int(place)], ensure_ascii=False) for place in order]
    (folder / "questions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def files() -> Traversable:
    """Where the texts lie."""
    return resources.files("ingestion.demo").joinpath("handbook_files")


def copy_documents(source: Traversable, target: Path) -> None:
    """A folder of documents with those below it."""
    target.mkdir()
    for one in source.iterdir():
        if one.is_dir():
            copy_documents(one, target / one.name)
        else:
            (target / one.name).write_bytes(one.read_bytes())


def rows_of(file: Traversable) -> Iterator[Row]:
    """The questions of one file: question_id, text, language, document, answers (none where nothing answers)."""
    content: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    name = file.name.removesuffix(".toml")
    document = content.get("document", NOTHING)
    for number, fact in enumerate(content.get("fact", ()), start=1):
        yield from wordings(fact["asked"], fact["answers"], document=document, name=f"{name}-{number}")
    for language in ("en", "zh"):
        yield from wordings(content.get(language, ()), [], document=document, name=f"{name}-{language}")


def wordings(asked: list[str], answers: list[str], *, document: str, name: str) -> Iterator[Row]:
    """A row for each wording of a question."""
    for number, text in enumerate(asked, start=1):
        language = "zh" if any("\u4e00" <= letter <= "\u9fff" for letter in text) else "en"
        yield {
            "question_id": f"{name}-{number}",
            "text": text,
            "language": language,
            "document": document,
            "answers": answers,
        }
