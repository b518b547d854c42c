"""Which rows a task can read, and what is said of one that none can."""

from collections.abc import Mapping, Sequence

import numpy as np

from heads.onnx import OnnxHead
from modalities.preparation.protocol import Preparation
from polyloom.errors import RequestError


def check_presence(
    heads: Mapping[str, OnnxHead], preparations: Mapping[str, Preparation], rows: Sequence[Mapping[str, object]]
) -> None:
    """The same as `check_rows`, before anything is computed."""
    read = dict.fromkeys(name for head in heads.values() for name in head.inputs)
    check_rows(
        heads,
        {name: np.array([preparations[name].value(row) is not None for row in rows], bool) for name in read},
    )


def check_rows(heads: Mapping[str, OnnxHead], present: Mapping[str, np.ndarray]) -> None:
    """Raises RequestError for a row that has nothing that any of the tasks reads."""
    given = np.any([readable_rows(head, present) for head in heads.values()], axis=0)
    if not given.all():
        told = "; ".join(f"task {task!r} reads {read_by(head)}" for task, head in heads.items())
        raise RequestError(f"Row {int(np.argmin(given)) + 1} has nothing that a task reads: {told}.")


def readable_rows(head: OnnxHead, present: Mapping[str, np.ndarray]) -> np.ndarray:
    """Which rows have something that the head reads, bool [rows]; of a pair, both."""
    enough = np.all if head.reads == "pair" else np.any
    return np.asarray(enough([present[name] for name in head.inputs], axis=0))


def read_by(head: OnnxHead) -> str:
    """What a head reads, in words."""
    return " and ".join(head.inputs) + ", both at once" if head.reads == "pair" else ", ".join(head.inputs)
