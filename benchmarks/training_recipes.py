"""The scenarios that polyloom runs in `benchmarks.training`: the same rows and weights, one recipe a strategy.

**What "the same epochs" means.** `full` trains all weights of the encoders for exactly the case's epochs, as AutoGluon
does. `frozen` passes each row through the encoders once, and then fits a head over the finished vectors for more
passes, each of which costs a few hundredths of a second: it is cheaper in every respect, but it is not the same
algorithm, so both are run and both are shown.

Settings were chosen on validation rows.
"""

from pathlib import Path
from typing import Any

from benchmarks.training_rows import SPLITS, Case

TEXT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
PICTURE_MODEL = "mobilenetv2_100"
TASK = "target"
RECIPES: dict[str, dict[str, Any]] = {
    "frozen": {
        "strategy": "frozen",
        "epochs": 30,
        "patience": 8,
        "batch_size": 256,
        "learning_rate": 0.001,
        "label_smoothing": 0.1,
        "weight_decay": 0.05,
        "warmup": 0.05,
    },
    "full": {
        "strategy": "full",
        "patience": 0,
        "batch_size": 16,
        "learning_rate": 0.001,
        "encoder_learning_rate": 0.0002,
        "weight_decay": 0.01,
        "warmup": 0.1,
    },
}
FUSIONS: dict[str, dict[str, Any]] = {
    "frozen": {"kind": "concat", "hidden": 512, "dropout": 0.4},
    "full": {"kind": "concat", "dropout": 0.1},
}


def scenario(case: Case, case_folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """A scenario over a case's rows. `settings`: strategy, epochs, seed, picture_weights (a file)."""
    strategy = settings["strategy"]
    recipe = dict(RECIPES[strategy])
    if strategy == "full":
        recipe["epochs"] = settings["epochs"]
    return {
        "name": case.name.replace("-", "_"),
        "title": case.name,
        "data": {"rows": data(case, case_folder)},
        "modalities": modalities(case, settings),
        "fusion": FUSIONS[strategy],
        "tasks": {TASK: task(case)},
        "recipe": {**recipe, "seed": settings["seed"], **settings.get("recipe", {})},
        "gate": {"metric": f"{TASK}.{case.metric.removeprefix('entity_')}"},
    }


def task(case: Case) -> dict[str, Any]:
    """What is predicted."""
    if case.kind == "token_classification":
        return {"kind": "token_classification", "target": case.label, "hidden": 200}
    return {"kind": "classification", "target": case.label}


def data(case: Case, case_folder: Path) -> dict[str, Any]:
    """The rows, split as both sides get them."""
    source: dict[str, Any] = {
        "kind": "table",
        "path": {split: str(case_folder / f"{split}.jsonl") for split in SPLITS},
        "columns": {case.label: "category"},
    }
    if case.kind == "token_classification":
        source["columns"] = dict.fromkeys((*case.texts, case.label), "tokens")
    elif case.texts:
        source["text"] = list(case.texts)
    if case.picture:
        source["image"] = case.picture
    return source


def modalities(case: Case, settings: dict[str, Any]) -> dict[str, Any]:
    """An encoder for each kind of column."""
    found: dict[str, Any] = {}
    if case.texts:
        found["text"] = {"kind": "text", "model": TEXT_MODEL, "weights": "packaged", "max_tokens": case.max_tokens}
        if case.kind == "token_classification":
            # The encoder knows no capitals; the letters of each word do.
            found["text"] |= {"form": "words", "letters": 20}
    if case.picture:
        found["image"] = {
            "kind": "image",
            "model": PICTURE_MODEL,
            "weights": settings["picture_weights"],
            "size": case.picture_size,
        }
    return found
