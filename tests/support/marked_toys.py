"""Two tiny applications over tokens whose answers are certain: relations between toys, colours that a text names."""

import json
from pathlib import Path

import numpy as np
import yaml

from tests.support.tiny_models import write_bert

ROWS = 120
# Which relation there is follows from the first of the two.
RELATIONS = {"shoe": "Fits(e1,e2)", "hat": "Fits(e2,e1)", "card": "Other"}
COLOURS = ("red", "blue")
REST = ("the", "a", "lost", "my", "shoe", "hat", "card")


def write_relations(folder: Path) -> Path:
    """Marked texts with their relation, the last row without marks, and the scenario; returns its path."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(ROWS):
        thing = list(RELATIONS)[number % 3]
        before, between = (" ".join(random.choice(REST, size=2)) for _ in range(2))
        text = f"{before} <e1>{thing}</e1> {between} <e2>{random.choice(REST)}</e2>"
        rows.append({"id": f"r{number}", "sentence": text, "relation": RELATIONS[thing]})
    rows.append({"id": "bad", "sentence": "the hat", "relation": "Other"})
    columns = {"relation": "category"}
    data = {"kind": "table", "path": "rows.jsonl", "key": "id", "text": ["sentence"], "columns": columns}
    task = {"kind": "relation", "target": "relation", "hidden": 16}
    text = {"form": "marked", "max_tokens": 16, "markers": ["?", "."]}
    return write(folder, rows, data, text, {"relation": task}, metric="relation.directed_macro_f1")


def write_answers(folder: Path) -> Path:
    """Questions whose answer is the colour in their context, a third without one, and the scenario."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(ROWS):
        words = [str(word) for word in random.choice(REST, size=14)]
        colour = COLOURS[number % 2] if number % 3 else None
        if colour:
            words[int(random.integers(14))] = colour
        answers = [colour] if colour else []
        context = " ".join(words)
        start = context.find(colour) if colour else None
        rows.append({"id": f"a{number}", "q": "?", "context": context, "answers": answers, "at": start})
    columns = {"answers": "labels", "at": "number"}
    data = {"kind": "table", "path": "rows.jsonl", "key": "id", "text": ["q", "context"], "columns": columns}
    task = {"kind": "span", "target": "answers", "start": "at"}
    # The contexts are longer than a window.
    return write(folder, rows, data, {"form": "pair", "max_tokens": 12}, {"answer": task}, metric="answer.f1")


def write(folder: Path, rows: list[dict], data: dict, text: dict, tasks: dict, *, metric: str) -> Path:
    """The rows, a tiny BERT to start from, and the scenario; returns its path."""
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    write_bert(folder / "bert")
    content = {
        "name": folder.name,
        "title": folder.name,
        "data": {"rows": data},
        "modalities": {
            "text": {"kind": "text", "model": str(folder / "bert"), "weights": str(folder / "bert"), **text}
        },
        "tasks": tasks,
        "recipe": {
            "strategy": "full",
            "epochs": 20,
            "batch_size": 16,
            "patience": 0,
            "learning_rate": 0.01,
            "encoder_learning_rate": 0.003,
        },
        "gate": {"metric": metric},
    }
    path = folder / f"{folder.name}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path
