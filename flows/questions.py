"""Questions of a file: one a line, answered one after the other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.asking import picture_bytes
from flows.json_lines import json_lines, json_object
from polyloom.errors import PolyloomError, RequestError
from releases.found import Wishes
from releases.runtime import Runtime

KNOWN = ("id", "text", "image", "like")


def answers(runtime: Runtime, path: Path, wishes: Wishes) -> Iterator[dict[str, Any]]:
    """For each question its hits, or why it could not be asked, with its own `id` or the number of its line.

    A question is a JSON object with `text`, `image` (a file beside this one), both, or `like`.

    Raises: RequestError when the file cannot be read.
    """
    for number, line in json_lines(path):
        yield answer(runtime, line, number, path, wishes)


def answer(runtime: Runtime, line: str, number: int, path: Path, wishes: Wishes) -> dict[str, Any]:
    """The hits of one line."""
    id_: object = number
    try:
        question = read_question(line, number, path)
        id_ = question.get("id", number)
        image = picture_bytes(path.parent / str(question["image"])) if question.get("image") else None
        found = runtime.find(wishes, text=question.get("text"), image=image, like=question.get("like"))
        return {"id": id_, "hits": [vars(hit) for hit in found.hits]}
    except PolyloomError as error:
        return {"id": id_, "error": str(error)}


def read_question(line: str, number: int, path: Path) -> dict[str, Any]:
    """One line. Raises: RequestError for what is no question."""
    question = json_object(line, number, path, known=KNOWN)
    wrong = [name for name in ("text", "image", "like") if not isinstance(question.get(name, ""), str)]
    if wrong:
        raise RequestError(f"{path}, line {number}: {wrong[0]} is {question[wrong[0]]!r}; write text in quotes.")
    return question
