"""The course of a fit that is one of several, in a file beside its weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from polyloom.durable import read_json

HISTORY = "history.json"
History = list[dict[str, Any]]


def read_history(folder: Path) -> History:
    """The course of a fit; empty for one that was not fitted."""
    return list(read_json(folder / HISTORY)) if (folder / HISTORY).is_file() else []


def numbered_through(histories: Sequence[History]) -> History:
    """The epochs of several fits, one after the other, numbered from 1."""
    epochs = (epoch for history in histories for epoch in history)
    return [{**epoch, "epoch": number} for number, epoch in enumerate(epochs, 1)]
