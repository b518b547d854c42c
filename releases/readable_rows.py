"""Which rows a task can read, and what is said of one that none can."""

from collections.abc import Mapping, Sequence

import numpy as np

from heads.onnx import OnnxHead
from modalities.preparation.protocol import Preparation
from polyloom.errors import RequestError


def check_presence(
    heads: Mapping[str, OnnxHead], preparations: Mapping[str, Preparation], rows: Sequence[Mapping[str, object]]
) -> None:
    """The same as `check_rows`, before anything is computed; fast for few rows."""
    read = dict.fromkeys(name for head in heads.values() for name in head.inputs)
    for number, row in enumerate(rows, start=1):
        there = {name: preparations[name].value(row) is not None for name in read}
        if not any(is_enough(head, there) for head in heads.values()):
            raise nothing_to_read(heads, number)


def check_rows(heads: Mapping[str, OnnxHead], present: Mapping[str, np.ndarray]) -> None:
    """Raises RequestError for a row that has nothing that any of the tasks reads."""
    given = np.any([readable_rows(head, present) for head in heads.values()], axis=0)
    if not given.all():
        raise nothing_to_read(heads, int(np.argmin(given)) + 1)


def nothing_to_read(heads: Mapping[str, OnnxHead], row: int) -> RequestError:
    """What is said of a row, counted from 1."""
    told = "; ".join(f"task {task!r} reads {read_by(head)}" for task, head in heads.items())
    return RequestError(f"Row {row} has nothing that a task reads: {told}.")


def is_enough(head: OnnxHead, there: Mapping[str, bool]) -> bool:
    """Whether one row has something that the head reads; of a pair, both."""
    return (all if head.reads == "pair" else any)(there[name] for name in head.inputs)


def readable_rows(head: OnnxHead, present: Mapping[str, np.ndarray]) -> np.ndarray:
    """Which rows have something that the head reads, bool [rows]; of a pair, both."""
    enough = np.all if head.reads == "pair" else np.any
    return np.asarray(enough([present[name] for name in head.inputs], axis=0))


def read_by(head: OnnxHead) -> str:
    """What a head reads, in words."""
    return " and ".join(head.inputs) + ", both at once" if head.reads == "pair" else ", ".join(head.inputs)
