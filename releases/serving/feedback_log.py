"""What comes back of served predictions: labels that people put right, and items that users took.

Both are lines of logs that ingestion reads (`feedback: corrections` and `feedback: clicks` of a table), so that the
next run learns from them.
"""

import hashlib
import math
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingestion.blobs import BlobStore
from ingestion.event_log import append
from ingestion.feedback_places import BLOBS, CLICKS, CORRECTIONS, PICTURE, USERS_KEY
from polyloom.errors import RequestError, suggestion
from releases.runtime import Runtime
from releases.serving.corrected_labels import CorrectedLabels
from releases.serving.intake import pseudonym
from releases.serving.served_batch import LoggedPrediction


@dataclass(frozen=True)
class Corrected:
    """Whether a correction was new; `waits_for` are tasks whose labels the row still needs to be learned from."""

    counted: bool
    waits_for: tuple[str, ...]


class FeedbackLog:
    """The feedback of one scenario, in a folder that any number of processes may share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known = CorrectedLabels(folder / CORRECTIONS)
        self._lock = threading.Lock()

    def correct(self, logged: LoggedPrediction, runtime: Runtime, *, row: int, task: str, label: Any) -> Corrected:
        """Note that a row of a prediction, from 0, has another label; of several corrections the last one counts.

        On the disk when it returns. Raises: RequestError for a prediction of something else than labels, a row, a task
        or a label that there is not; it names what there is.
        """
        if logged.batch.action not in {"predict", "explain"}:
            raise RequestError(
                f"{logged.member.prediction} is the answer to `{logged.batch.action}`, and only what was predicted has "
                "labels to correct. What a user took is a click: give `item` and `event`."
            )
        if not 0 <= row < len(logged.rows):
            raise RequestError(
                f"{logged.member.prediction} has no row {row}; it has {len(logged.rows)}, counted from 0."
            )
        targets = runtime.facts["targets"]
        if task not in targets:
            raise RequestError(f"There is no task {task!r} to correct.{suggestion(task, targets)} {_told(targets)}")
        checked = checked_label(runtime, task, label)
        place = (logged.member.prediction, row)
        with self._lock:
            before = self._known.of(*place)
            counted = targets[task] not in before or before[targets[task]] != checked
            if counted:
                append(self.folder / CORRECTIONS, [self._correction(logged, row, task, targets[task], checked)])
        there = {*before, targets[task]}
        return Corrected(counted, tuple(name for name, target in targets.items() if target not in there))

    def click(
        self,
        *,
        item: str,
        known: Callable[[str], bool],
        columns: Mapping[str, Any],
        event: str | None = None,
        user: str | None = None,
        prediction: str | None = None,
    ) -> str:
        """Note that a user, or whoever got a prediction, took an item; gives the click's id.

        `columns` are the scenario's of events. A user is noted under a name that only the folder's key can make.
        On the disk when it returns. Raises: RequestError for an item or an event that there is not, and for nobody.
        """
        if (user is None) == (prediction is None):
            raise RequestError("Who took it is one thing: give a user, or the prediction that showed the item.")
        if not known(item):
            raise RequestError("There is no such item in the index. Give the `id` of an item that was shown.")
        check_event(event, columns)
        name = pseudonym(user, key=self.folder / USERS_KEY) if user is not None else prediction
        click = secrets.token_hex(8)
        line = {"id": click, "user": name, "item": item, "event": event, "prediction": prediction, "at": _now()}
        append(self.folder / CLICKS, [line])
        return click

    def _correction(
        self, logged: LoggedPrediction, row: int, task: str, target: str, label: str | float | list[str]
    ) -> dict[str, Any]:
        """The line of a correction; its pictures are kept here, since the prediction's own will go."""
        blobs = BlobStore(self.folder / BLOBS)
        values = {
            name: {PICTURE: _put(blobs, value)} if isinstance(value, bytes) else value
            for name, value in logged.rows[row].items()
        }
        blobs.sync()
        return {
            "prediction": logged.member.prediction,
            "row": row,
            "task": task,
            "target": target,
            "label": label,
            "release": logged.batch.release,
            "at": _now(),
            "values": values,
        }


def checked_label(runtime: Runtime, task: str, label: Any) -> str | float | list[str]:
    """A label that the task can have. Raises: RequestError for any other, naming those that it can."""
    decoder = runtime.heads[task].decoder
    if decoder.kind == "regression":
        if isinstance(label, bool) or not isinstance(label, (int, float)) or not math.isfinite(label):
            raise RequestError(f"{task!r} predicts a number. Give a finite one as its label, such as 12.5.")
        return float(label)
    labels = getattr(decoder, "labels", None)
    if decoder.kind != "classification" or labels is None:
        raise RequestError(
            f"{task!r} is of kind {decoder.kind}; labels of classification and regression can be corrected."
        )
    if getattr(decoder, "problem", None) != "multilabel":
        if not isinstance(label, str) or label not in labels:
            raise RequestError(f"That is no label of {task!r}.{_near(label, labels)} {_told(labels)}")
        return label
    given = label if isinstance(label, list) else []
    if not given or any(one not in labels for one in given):
        raise RequestError(f"{task!r} has several labels. Give a list of them. {_told(labels)}")
    return sorted({str(one) for one in given})


def check_event(event: str | None, columns: Mapping[str, Any]) -> None:
    """Raises: RequestError for an event that the scenario does not know."""
    if not columns.get("event"):
        if event is not None:
            raise RequestError("The scenario's events have no kinds, so every click is one. Leave `event` out.")
        return
    weights = columns.get("weight") or {}
    if event is None or (weights and event not in weights):
        raise RequestError(f"That is no event of the scenario.{_near(event, weights)} {_told(weights)}")


def _told(names: Any) -> str:
    return f"There is {', '.join(map(str, names)) or 'none'}."


def _near(given: Any, known: Any) -> str:
    return suggestion(given, known) if isinstance(given, str) else ""


def _put(blobs: BlobStore, content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    if not blobs.holds(sha256, len(content)):
        blobs.put(sha256, content)
    return sha256


def _now() -> str:
    return datetime.now(UTC).isoformat()
