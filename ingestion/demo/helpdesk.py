"""The help desk of the made-up shop: hand-written questions in several wordings, English and Chinese, with answers.

One TOML file a topic, one table a question: `en` and `zh` are the wordings, `answer_en` and `answer_zh` the answer.
"""

import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources

import numpy as np

OFF_TOPIC = "off_topic"
NO_ANSWER = "none"
LANGUAGES = ("en", "zh")
TOPICS = (
    "delivery",
    "orders",
    "returns",
    "payment",
    "account",
    "products",
    "warranty",
    "vouchers",
    "stores",
    "privacy",
    OFF_TOPIC,
)

Row = dict[str, str]
Entry = Mapping[str, list[str] | str]


def questions(*, seed: int) -> list[Row]:
    """Every wording as a row: question_id, text, language, answer_id, topic, answer; in an order drawn by the seed."""
    rows = [row for topic in TOPICS for row in topic_rows(topic)]
    order = np.random.default_rng([seed, 3]).permutation(len(rows))
    return [rows[int(place)] for place in order]


def topic_rows(topic: str) -> Iterator[Row]:
    """The rows of one topic's file."""
    text = resources.files("ingestion.demo").joinpath("questions", f"{topic}.toml").read_text(encoding="utf-8")
    for name, entry in tomllib.loads(text).items():
        for language in LANGUAGES:
            yield from wordings(entry, name=name, topic=topic, language=language)


def wordings(entry: Entry, *, name: str, topic: str, language: str) -> Iterator[Row]:
    """One question's wordings in one language; what is off topic has no answer."""
    off_topic = topic == OFF_TOPIC
    for number, wording in enumerate(entry[language], start=1):
        yield {
            "question_id": f"{name}-{language}-{number}",
            "text": wording,
            "language": language,
            "answer_id": NO_ANSWER if off_topic else name,
            "topic": topic,
            "answer": "" if off_topic else str(entry[f"answer_{language}"]),
        }
