"""Two tables with certain answers: opinions with a number of stars, and questions with a topic."""

import json
from pathlib import Path

import yaml

STARS = {"awful": 1.0, "poor": 2.0, "fair": 3.0, "good": 4.0, "superb": 5.0}
TOPICS = {"parcel": "delivery", "refund": "money", "sofa": "goods"}


def write_opinions(folder: Path, **recipe: object) -> Path:
    """Both tables and the scenario; returns its path."""
    opinions = [
        {"id": f"o{number}", "text": f"a {word} thing, number {number}", "stars": STARS[word]}
        for number, word in enumerate(list(STARS) * 24)
    ]
    questions = [
        {"id": f"q{number}", "question": f"my {word} again {number}", "topic": TOPICS[word]}
        for number, word in enumerate(list(TOPICS) * 16)
    ]
    for name, rows in (("opinions", opinions), ("questions", questions)):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    path = folder / "opinions.yaml"
    path.write_text(yaml.safe_dump(scenario(recipe), sort_keys=False), encoding="utf-8")
    return path


def scenario(recipe: dict[str, object]) -> dict[str, object]:
    """One modality over both tables, a task on each."""
    table = {"kind": "table", "key": "id"}
    return {
        "name": "opinions",
        "title": "Opinions and questions",
        "data": {
            "opinions": {**table, "path": "opinions.jsonl", "text": ["text"], "columns": {"stars": "number"}},
            "questions": {**table, "path": "questions.jsonl", "text": ["question"], "columns": {"topic": "category"}},
        },
        "modalities": {"chars": {"kind": "characters", "dim": 256}},
        "tasks": {
            "stars": {"kind": "regression", "target": "stars", "rows": "opinions", "loss_weight": "learned"},
            "topic": {"kind": "classification", "target": "topic", "rows": "questions"},
        },
        "recipe": {"epochs": 30, "patience": 0, "batch_size": 8, "learning_rate": 0.02, "sampling": "equal", **recipe},
        "gate": {"metric": "stars.r2", "minimum": 0.5},
    }
