"""What a release is, for whoever runs no code of ours: one JSON that says how its files make answers of rows.

It names graphs, their inputs and outputs, how each modality is prepared and how each task's outputs are read. A
service needs ONNX Runtime, numpy, tokenizers and Pillow, and no code, no pickle and no MLflow.
"""

from pathlib import Path
from typing import Any

from modalities.encoders.onnx import open_session
from polyloom.durable import read_json

FORMAT = 1
# From here on a preparation's numbers are named by the file alone: half a million of them are no description.
LONGEST_LIST = 2000


def description(bundle: Path, digest: str) -> dict[str, Any]:
    """All that must be known; paths are relative to the bundle."""
    facts = read_json(bundle / "application.json")
    return {
        "format": FORMAT,
        "name": facts["name"],
        "title": facts["title"],
        "digest": digest,
        "modalities": {name: modality(bundle, name, entry) for name, entry in facts["modalities"].items()},
        "tasks": {name: task(bundle, name) for name in facts["tasks"]},
        "index": facts.get("index"),
    }


def modality(bundle: Path, name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """How a value becomes an embedding: `settings` for the preparation, then `graph`; without one, it is the vector."""
    settings = f"preparation/{name}/preparation.json"
    tokenizer = f"preparation/{name}/tokenizer.json"
    model = f"encoders/{name}/model.onnx"
    return {
        "kind": entry["kind"],
        "dim": entry["dim"],
        "settings": settings,
        "prepared_as": short(read_json(bundle / settings)),
        "tokenizer": tokenizer if (bundle / tokenizer).is_file() else None,
        "graph": graph(bundle, model) if entry["encoder"] == "onnx" else None,
    }


def task(bundle: Path, name: str) -> dict[str, Any]:
    """What a head reads, and how its outputs become an answer."""
    facts = read_json(bundle / "heads" / name / "head.json")
    return {
        "reads": facts["reads"],
        "inputs": facts["inputs"],
        "outputs": facts["outputs"],
        "graph": graph(bundle, f"heads/{name}/model.onnx"),
        "settings": f"heads/{name}/head.json",
        "decoder": short(facts["decoder"]),
    }


def graph(bundle: Path, path: str) -> dict[str, Any]:
    """A graph's file, and its inputs and outputs with shapes; a size that may differ has a name."""
    session = open_session(bundle / path)
    return {
        "file": path,
        "inputs": [{"name": one.name, "type": one.type, "shape": one.shape} for one in session.get_inputs()],
        "outputs": [{"name": one.name, "type": one.type, "shape": one.shape} for one in session.get_outputs()],
    }


def short(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings without long lists of numbers, which the file of settings holds."""
    return {
        name: value for name, value in settings.items() if not (isinstance(value, list) and len(value) > LONGEST_LIST)
    }
