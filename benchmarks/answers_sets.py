"""Questions with answers that are known to be right or wrong: banking77, a bank's FAQ, the shop's help desk."""

import csv
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.answers_index import Entry
from benchmarks.retrieval_rows import BANK_ROWS

# So many training questions of banking77 are asked of the others, to fit the confidence on.
FITTED = 2_000


@dataclass(frozen=True)
class Question:
    """A question, the answers that are right (none for one that nothing answers), and the entry that is itself."""

    text: str
    right: frozenset[str]
    itself: str | None = None


@dataclass(frozen=True)
class AnswerSet:
    """What is searched, what is asked, and, where there are such, other questions to fit the confidence on."""

    name: str
    entries: Sequence[Entry]
    questions: Sequence[Question]
    fitting: Sequence[Question] = ()


def banking77(data: Path) -> AnswerSet:
    """Test questions look for the training question that is nearest: right when that has the same intent."""
    train, test = (_rows(data / "banking77" / f"{name}.csv") for name in ("train", "test"))
    entries = [Entry(str(number), row["text"], answer=row["category"]) for number, row in enumerate(train)]
    chosen = random.Random(0).sample(entries, FITTED)
    return AnswerSet(
        "banking77, test question to training question, right if of the same intent",
        entries,
        [Question(row["text"], frozenset({row["category"]})) for row in test],
        [Question(one.text, frozenset({str(one.answer)}), itself=one.id) for one in chosen],
    )


def bank_answers(data: Path) -> AnswerSet:
    """A bank's different questions look among its different answers: right when it is one that was given to it."""
    right: dict[str, set[str]] = defaultdict(set)
    for question, answer, _ in _bank_rows(data):
        right[question].add(answer)
    texts = dict.fromkeys(answer for answers in right.values() for answer in sorted(answers))
    return AnswerSet(
        "bank FAQ, question to answer text, right if it is its own answer",
        [Entry(text, text) for text in texts],
        [Question(text, frozenset(answers)) for text, answers in right.items()],
    )


def bank_desks(data: Path) -> AnswerSet:
    """A bank's questions, each held out, look for the nearest other one: right when that belongs to the same class."""
    desks = {question: desk for question, _, desk in _bank_rows(data)}
    entries = [Entry(str(number), text, answer=desk) for number, (text, desk) in enumerate(desks.items())]
    return AnswerSet(
        "bank FAQ, held-out question to another question, right if of the same class",
        entries,
        [Question(one.text, frozenset({str(one.answer)}), itself=one.id) for one in entries],
    )


def help_desk(_data: Path) -> AnswerSet:
    """Wordings of the shop's help desk, each held out, look for another of the same answer."""
    from ingestion.demo.helpdesk import NO_ANSWER, questions

    rows = questions(seed=0)
    entries = [
        Entry(row["question_id"], row["text"], answer=row["answer_id"]) for row in rows if row["answer_id"] != NO_ANSWER
    ]
    return AnswerSet(
        "help desk, held-out wording to another wording, right if of the same answer, off-topic always wrong",
        entries,
        [Question(row["text"], frozenset({row["answer_id"]} - {NO_ANSWER}), itself=row["question_id"]) for row in rows],
    )


SETS = {"banking77": banking77, "bank_answers": bank_answers, "bank_desks": bank_desks, "help_desk": help_desk}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _bank_rows(data: Path) -> Iterator[tuple[str, str, str]]:
    """Question, answer and class of the real rows, blanks alike; what is repeated is met again."""
    for row in _rows(data / "bank_faq_hdfc" / "BankFAQs.csv")[:BANK_ROWS]:
        yield " ".join(row["Question"].split()), " ".join(row["Answer"].split()), row["Class"]
