"""Distinct texts as customers would send them, English and Chinese, made out of the demo's questions."""

import itertools
import json
import random
from collections.abc import Sequence
from pathlib import Path

OPENINGS = {
    "en": ("", "Hello, ", "Hi there! ", "Good morning. ", "Excuse me: ", "Quick question: ", "Please help. "),
    "zh": ("", "你好，", "您好！", "请问，", "打扰一下，", "想问一下：", "急，"),
}
ENDINGS = {
    "en": ("", " Thanks.", " Thank you!", " Best, Kim", " Order {number}."),
    "zh": ("", "谢谢。", "谢谢！", "麻烦了。", "订单{number}。"),
}


def customers_texts(questions: Path, *, count: int, seed: int = 7) -> list[str]:
    """`count` texts, none twice, so that no cache has met one before; the seed decides which, and their order.

    Each is one of the demo's questions between a greeting and an ending; one in five names an order. MiniLM reads 17
    tokens of them in the mean. Raises: ValueError when the questions do not give so many.
    """
    rows = [json.loads(line) for line in questions.read_text(encoding="utf-8").splitlines()]
    chance = random.Random(seed)
    made = dict.fromkeys(
        opening + row["text"] + ending.format(number=chance.randrange(10_000, 100_000))
        for row in rows
        for opening, ending in itertools.product(OPENINGS[row["language"]], ENDINGS[row["language"]])
    )
    return chance.sample(list(made), count)


def returning_texts(texts: Sequence[str], *, count: int, seed: int = 7) -> list[str]:
    """`count` of these texts as customers ask them, some again and again: the n-th 1/n as often as the first.

    Zipf, "Human Behavior and the Principle of Least Effort" (1949).
    """
    chance = random.Random(seed)
    return chance.choices(texts, weights=[1 / place for place in range(1, len(texts) + 1)], k=count)
