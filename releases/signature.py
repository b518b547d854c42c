"""What a release takes and gives, as MLflow's signature says it, and a made-up row that it can answer."""

import base64
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polyloom.durable import read_json
from releases.asked_rows import HISTORY, LIKE, QUESTION
from releases.pyfunc_names import ANSWER

Columns = dict[str, str]
TEXT, NUMBER, PICTURE, ANY = "string", "double", "binary", "any"
EXAMPLE_TEXT, EXAMPLE_SIDE, EXAMPLE_GREY = "An example of a text.", 32, 128


def settings_of(bundle: Path) -> dict[str, dict[str, Any]]:
    """Each modality's preparation, as the bundle holds it."""
    facts = read_json(bundle / "application.json")
    return {name: read_json(bundle / "preparation" / name / "preparation.json") for name in facts["modalities"]}


def columns_of(settings: Mapping[str, Any]) -> Columns:
    """The columns that one preparation reads, with MLflow's names of their types."""
    kind = settings["kind"]
    if kind == "image":
        return {settings["column"]: PICTURE}
    if kind == "category":
        return dict.fromkeys(settings["values"], TEXT)
    if kind == "number":
        return dict.fromkeys(settings["columns"], NUMBER)
    # A row of words may also be a list of words.
    read = dict.fromkeys(settings["columns"], ANY if kind == "words" else TEXT)
    return {**read, **dict.fromkeys(settings.get("ranges", ()), ANY)}


def input_columns(bundle: Path) -> Columns:
    """Every column that a row may have: the scenario's own first, then what searches and recommendations read."""
    facts = read_json(bundle / "application.json")
    own: Columns = {}
    for settings in settings_of(bundle).values():
        own |= {name: kind for name, kind in columns_of(settings).items() if name not in own}
    asked = {QUESTION: TEXT, LIKE: TEXT} if facts.get("index") else {}
    taken = {HISTORY: "array"} if facts.get("recommend") else {}
    return {**asked, **taken, **own}


def signature(bundle: Path) -> dict[str, str]:
    """Inputs, outputs and parameters; no column must be there, for a row may lack any of its modalities."""
    inputs = [_column(name, kind) for name, kind in input_columns(bundle).items()]
    outputs = [_column(name, kind) for name, kind in output_columns(bundle).items()]
    params = [
        {"name": "do", "type": "string", "default": "predict", "shape": None},
        {"name": "k", "type": "long", "default": 10, "shape": None},
        {"name": "where", "type": "string", "default": "", "shape": None},
        {"name": "top", "type": "long", "default": 5, "shape": None},
    ]
    return {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs), "params": json.dumps(params)}


def output_columns(bundle: Path) -> Columns:
    """A label and a probability for each task, and all of it as JSON."""
    columns: Columns = {}
    for task in read_json(bundle / "application.json")["tasks"]:
        decoder = read_json(bundle / "heads" / task / "head.json")["decoder"]
        columns[task] = NUMBER if decoder["kind"] == "regression" else TEXT
        columns[f"{task}_probability"] = NUMBER
    return {**columns, ANSWER: TEXT}


def example(bundle: Path) -> dict[str, Any]:
    """One row for each column that a modality reads, made up: nobody's data, and the same each time."""
    row: dict[str, Any] = {}
    for settings in settings_of(bundle).values():
        row |= {name: _made_up(name, kind, settings) for name, kind in columns_of(settings).items() if name not in row}
    row = {name: value for name, value in row.items() if value is not None}
    return {"columns": list(row), "data": [list(row.values())]}


def _made_up(name: str, kind: str, settings: Mapping[str, Any]) -> Any:
    if kind == PICTURE:
        return base64.b64encode(grey_picture()).decode()
    if kind == NUMBER:
        return float(settings["mean"][settings["columns"].index(name)])
    if settings["kind"] == "category":
        return next(iter(settings["values"][name]), "other")
    if settings["kind"] == "marked":
        # Such a text has its parts between tags, and which these are is the scenario's own.
        return None
    return EXAMPLE_TEXT


def grey_picture() -> bytes:
    """A small grey square as PNG."""
    from PIL import Image

    content = io.BytesIO()
    Image.new("RGB", (EXAMPLE_SIDE, EXAMPLE_SIDE), (EXAMPLE_GREY,) * 3).save(content, format="PNG")
    return content.getvalue()


def _column(name: str, kind: str) -> dict[str, Any]:
    listed = {"items": {"type": "string"}} if kind == "array" else {}
    return {"type": kind, **listed, "name": name, "required": False}
