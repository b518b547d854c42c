"""An exception as a log may tell it: its type and where it came from, without its message, which quotes values."""

import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

MOST_FRAMES = 20
MOST_CAUSES = 5
PARTS_OF_A_PATH = 3


def told_failure(error: BaseException, *, depth: int = MOST_CAUSES) -> dict[str, Any]:
    """`error`, its type; `frames`, innermost last; `cause` and `group` alike, for as far as that is of use."""
    told: dict[str, Any] = {"error": type(error).__qualname__, "frames": frames(error.__traceback__)}
    if depth:
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is not None:
            told["cause"] = told_failure(cause, depth=depth - 1)
        if isinstance(error, BaseExceptionGroup):
            told["group"] = [told_failure(one, depth=depth - 1) for one in error.exceptions[:MOST_CAUSES]]
    return told


def frames(trace: TracebackType | None) -> list[str]:
    """Such as `releases/serving/app.py:88 answer`; without source lines, which the traceback module would read."""
    summary = traceback.StackSummary.extract(traceback.walk_tb(trace), lookup_lines=False)
    return [f"{short(frame.filename)}:{frame.lineno} {frame.name}" for frame in summary[-MOST_FRAMES:]]


def short(path: str) -> str:
    """The end of a path: where things are installed is nobody's business."""
    return "/".join(Path(path).parts[-PARTS_OF_A_PATH:])
