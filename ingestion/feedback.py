"""What came back from serving, as further rows of a table: corrected predictions, and what users took.

Corrections are rows to learn from and no others: what a model got wrong says nothing about how often it does.
"""

from pathlib import Path

from ingestion.event_log import is_log
from ingestion.feedback_places import CORRECTIONS
from ingestion.sources import TRAIN_ONLY, UNSPLIT, TableSource

ALONE = "feedback"
OPTION, TARGETS = "feedback", "targets"


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
