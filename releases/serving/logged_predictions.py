"""Predictions found again by their ids, and the days that are not kept any more."""

import contextlib
import json
import mmap
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from polyloom.errors import RequestError
from releases.serving.prediction_files import BLOBS, SUFFIX, day_folder
from releases.serving.prediction_id import day_of
from releases.serving.served_batch import LoggedPrediction, Member, ServedBatch


def find_logged(folder: Path, prediction: str, *, scenario: str | None = None) -> LoggedPrediction:
    """The prediction of an id, of any scenario or of one.

    Raises: RequestError for what is no id, for a prediction that is not there, and where a picture of its batch is not.
    """
    for place in _places(folder, prediction, scenario):
        for line in _lines_with(place, prediction):
            member = next((one for one in line["members"] if one["prediction"] == prediction), None)
            if member is not None:
                batch = ServedBatch.from_json(line, place / BLOBS)
                return LoggedPrediction(batch=batch, member=Member(**member), machine=line["machine"])
    raise RequestError(
        f"There is no prediction {prediction} in {folder}. It may be of another machine or scenario, older than what "
        "is kept, or the log could not keep it: the server's `/ready` says how its log stands."
    )


def remove_days(folder: Path, *, before: date) -> None:
    """Remove the folders of all days before one, of every scenario."""
    for day in folder.glob("*/*"):
        with contextlib.suppress(ValueError):
            if date.fromisoformat(day.name) < before:
                shutil.rmtree(day, ignore_errors=True)


def first_day(keep_days: int) -> date:
    """The oldest day that is kept today."""
    return datetime.now(UTC).date() - timedelta(days=keep_days)


def _places(folder: Path, prediction: str, scenario: str | None) -> Iterator[Path]:
    """Where it may lie: what was named before midnight may have been answered after it."""
    day = day_of(prediction)
    found = [folder / scenario] if scenario is not None else sorted(folder.glob("*"))
    for place in found:
        yield from (day_folder(place, one) for one in (day, day + timedelta(days=1)))


def _lines_with(folder: Path, word: str) -> Iterator[dict[str, Any]]:
    """The whole lines of a day in which a word stands, as objects."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        if path.stat().st_size:
            with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
                yield from _lines_of(content, word.encode())


def _lines_of(content: mmap.mmap, word: bytes) -> Iterator[dict[str, Any]]:
    """The lines with a word; one that a crash or a full disk cut off is passed over."""
    place = content.find(word)
    while place >= 0:
        start, end = content.rfind(b"\n", 0, place) + 1, content.find(b"\n", place)
        if end < 0:
            return
        with contextlib.suppress(ValueError):
            yield json.loads(content[start:end])
        place = content.find(word, end)
