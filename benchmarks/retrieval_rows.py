"""What retrieval is measured on: items, questions, and which items answer each of them."""

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

CRANFIELD, CRANFIELD_ALL, XQUAD, BANK, CHINESE = "cranfield", "cranfield, with -1", "xquad", "bank FAQ", "baoxian"
BANK_ROWS = 1764  # those after them are fillers of a chat bot


@dataclass(frozen=True)
class Question:
    """A question and the ids of what answers it."""

    text: str
    relevant: frozenset[str]


@dataclass(frozen=True)
class RetrievalSet:
    """Items by id, and questions that are answered by some of them."""

    name: str
    items: Mapping[str, str]
    questions: tuple[Question, ...]

    @property
    def texts(self) -> list[str]:
        """What is asked."""
        return [question.text for question in self.questions]

    def cut(self, count: int | None) -> "RetrievalSet":
        """With the first so many questions alone."""
        return self if count is None else replace(self, questions=self.questions[:count])


def cranfield(data: Path, *, least_code: int = 1) -> RetrievalSet:
    """Abstracts, each under its title; judgements from `least_code` on count as relevant.

    Judgements number the questions by their position, not by their `.I`.
    """
    folder = data / "cranfield"
    documents = marked_records((folder / "cran.all.1400").read_text(encoding="utf-8"))
    items = {number: f"{parts['T']}\n{parts['W']}".strip() for number, parts in documents}
    relevant: dict[int, set[str]] = defaultdict(set)
    for line in (folder / "cranqrel").read_text(encoding="utf-8").splitlines():
        question, document, code = line.split()
        if int(code) >= least_code:
            relevant[int(question)].add(document)
    asked = enumerate(marked_records((folder / "cran.qry").read_text(encoding="utf-8")), start=1)
    name = CRANFIELD if least_code > 0 else CRANFIELD_ALL
    return judged(name, items, ((parts["W"], relevant[place]) for place, (_, parts) in asked))


def marked_records(content: str) -> list[tuple[str, dict[str, str]]]:
    """The records of a file with marks as `.I 1` and `.W`: each one's number and its parts, a part on one line."""
    found = []
    for record in re.split(r"^\.I ", content, flags=re.MULTILINE)[1:]:
        number, *parts = re.split(r"^\.([A-Z])[ \t]*$", record, flags=re.MULTILINE)
        pairs = zip(parts[::2], parts[1::2], strict=True)
        found.append((number.strip(), {mark: " ".join(text.split()) for mark, text in pairs}))
    return found


def xquad(data: Path) -> RetrievalSet:
    """English questions, each answered by the paragraph that it was asked of."""
    content = json.loads((data / "xquad" / "xquad.en.json").read_text(encoding="utf-8"))
    paragraphs = [paragraph for article in content["data"] for paragraph in article["paragraphs"]]
    items = {str(number): paragraph["context"] for number, paragraph in enumerate(paragraphs)}
    asked = (
        (one["question"], {str(number)}) for number, paragraph in enumerate(paragraphs) for one in paragraph["qas"]
    )
    return judged(XQUAD, items, asked)


def bank_faq(data: Path) -> RetrievalSet:
    """A bank's questions, each answered by all that was answered to it; what is repeated stands once."""
    with (data / "bank_faq_hdfc" / "BankFAQs.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))[:BANK_ROWS]
    return answered(BANK, ((row["Question"], row["Answer"], True) for row in rows))


def baoxian(data: Path) -> RetrievalSet:
    """Titles of Chinese questions about insurance, each answered by its best replies among those to all of them."""
    path = data / "baoxian_faq_zh" / "baoxianzhidao_filter.csv"
    with path.open(encoding="gb18030", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return answered(CHINESE, ((row["title"], row["reply"], row["is_best"] == "1") for row in rows))


def answered(name: str, rows: Iterable[tuple[str, str, bool]]) -> RetrievalSet:
    """A set of questions with their replies, each of which is an answer or is not; different texts are the items."""
    numbers: dict[str, str] = {}
    relevant: dict[str, set[str]] = defaultdict(set)
    for question, reply, is_answer in rows:
        if reply:
            number = numbers.setdefault(reply, str(len(numbers)))
            relevant[question] |= {number} if is_answer else set()
    return judged(name, {number: reply for reply, number in numbers.items()}, relevant.items())


def judged(name: str, items: Mapping[str, str], asked: Iterable[tuple[str, Iterable[str]]]) -> RetrievalSet:
    """A set without the questions that nothing answers."""
    questions = (Question(text, frozenset(relevant)) for text, relevant in asked)
    return RetrievalSet(name, items, tuple(question for question in questions if question.text and question.relevant))
