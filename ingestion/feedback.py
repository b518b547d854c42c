"""What came back from serving, as further rows of a table: corrected predictions, and what users took.

Corrections are rows to learn from and no others: what a model got wrong says nothing about how often it does.
"""

from pathlib import Path
from typing import Literal, get_args

from ingestion.event_log import is_log
from ingestion.sources import TRAIN_ONLY, UNSPLIT, TableSource
from polyloom.home import home

FeedbackKind = Literal["corrections", "clicks"]
CORRECTIONS, CLICKS = get_args(FeedbackKind)
ALONE = "feedback"
OPTION, TARGETS = "feedback", "targets"
BLOBS, USERS_KEY = "blobs", "users.key"
# What stands in a corrected row in the place of a picture: an object with its SHA-256.
PICTURE = "$picture"


def feedback_folder(scenario: str) -> Path:
    """Where a scenario's feedback lies: a log of each kind, the pictures of corrected rows, the key of users' names."""
    return home() / "feedback" / scenario


def feedback_log(source: TableSource) -> Path | None:
    """The log whose rows belong to a table, too; None where none do."""
    folder = source.options.get(OPTION)
    return None if folder is None else Path(str(folder))


def feedback_files(source: TableSource) -> list[tuple[str, Path]]:
    """The log of a table's feedback as a file of the source, with its split; nothing while nothing came back.

    A table that is nothing else has its log whether it holds anything or not.
    """
    log = feedback_log(source)
    if log is not None and source.kind == ALONE:
        return [(UNSPLIT, log)]
    if log is None or not is_log(log):
        return []
    if log.name == CORRECTIONS:
        return [(TRAIN_ONLY, log)]
    return [(UNSPLIT if UNSPLIT in source.paths else "train", log)]
