"""Sentences with certain entities, that a very small BERT can learn: lost things with a colour, and cards."""

import itertools
import json
from pathlib import Path

import yaml

from tests.support.tiny_models import write_bert

THINGS = [f"{colour} {thing}" for colour in ("red", "blue") for thing in ("hat", "hats", "shoe", "shoes")]
PATTERNS = (
    "lost my {thing} .",
    "the {thing} lost a card",
    "a card ? the {thing}",
    "退 款 {thing} 吗",
    "my red , the blue",
)


def write_sentences(folder: Path, *, rows: int = 160, **recipe: object) -> Path:
    """The table, the model and the scenario; returns its path."""
    lines = [
        json.dumps({"id": f"s{number}", "words": words, "tags": tags}, ensure_ascii=False) + "\n"
        for number, (words, tags) in zip(range(rows), itertools.cycle(tagged_sentences()), strict=False)
    ]
    (folder / "sentences.jsonl").write_text("".join(lines), encoding="utf-8")
    write_bert(folder / "bert")
    path = folder / "sentences.yaml"
    path.write_text(yaml.safe_dump(scenario(str(folder / "bert"), recipe), sort_keys=False), encoding="utf-8")
    return path


def tagged_sentences() -> list[tuple[list[str], list[str]]]:
    """Words and BIO tags: `Lost my red hats .` has a THING, `the card` a CARD, a colour by itself nothing."""
    patterns = [
        "lost my {thing} .",
        "the {thing} lost a card",
        "a card ? the {thing}",
        "退 款 {thing} 吗",
        "my red , the blue",
    ]
    found = []
    for pattern, thing in itertools.product(patterns, THINGS):
        words = pattern.format(thing=thing).split()
        tags = ["O"] * len(words)
        for place, word in enumerate(words):
            if word == "card":
                tags[place] = "B-CARD"
            if " ".join(words[place : place + 2]) == thing:
                tags[place : place + 2] = ["B-THING", "I-THING"]
        found.append((words, tags))
    return found


def scenario(model: str, recipe: dict[str, object]) -> dict[str, object]:
    """One task over words."""
    return {
        "name": "sentences",
        "title": "Lost things",
        "data": {
            "sentences": {
                "kind": "table",
                "path": "sentences.jsonl",
                "key": "id",
                "columns": {"words": "tokens", "tags": "tokens"},
            }
        },
        "splits": {"validation": 0.2, "test": 0.2},
        "modalities": {
            "text": {
                "kind": "text",
                "model": model,
                "weights": model,
                "form": "words",
                "letters": 8,
                "columns": ["words"],
                "max_tokens": 16,
            }
        },
        "tasks": {"lost": {"kind": "token_classification", "target": "tags", "hidden": 16}},
        "recipe": {
            "strategy": "full",
            "epochs": 10,
            "patience": 0,
            "batch_size": 8,
            "learning_rate": 0.01,
            "encoder_learning_rate": 0.002,
            **recipe,
        },
        "gate": {"metric": "lost.f1"},
    }
