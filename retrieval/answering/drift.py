"""Whether what is asked now is like what a threshold was chosen by: the promise holds only where it is.

The scores of the last questions are held against those of the calibration rows by the two-sample test of Kolmogorov and
Smirnov (Smirnov, "On the estimation of the discrepancy between empirical curves", 1939).
"""

import contextlib
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from polyloom.durable import json_line, replace_file

# So many questions at a time are judged; windows do not overlap, so that each is a test of its own.
WINDOW = 100
LEVEL = 1e-4
MOST_LINES, KEPT_LINES = 4_000, 1_000


def gap(known: Sequence[float], asked: Sequence[float]) -> float:
    """The largest distance between the two shares of scores below any value, 0 to 1; 0 where either is empty."""
    if not len(known) or not len(asked):
        return 0.0
    first, second = np.sort(np.asarray(known, np.float64)), np.sort(np.asarray(asked, np.float64))
    values = np.concatenate([first, second])
    shares = [np.searchsorted(one, values, "right") / len(one) for one in (first, second)]
    return float(np.abs(shares[0] - shares[1]).max())


def largest_gap(known: int, asked: int, *, level: float = LEVEL) -> float:
    """What the gap between so many scores of one kind exceeds with at most the probability `level`, for many scores."""
    return math.sqrt(-math.log(level / 2) / 2 * (known + asked) / (known * asked))


def drifted(known: Sequence[float], asked: Sequence[float], *, window: int = WINDOW) -> bool:
    """Whether the last whole window of the questions is unlike the calibration rows; not told by fewer questions."""
    whole = len(asked) // window * window
    last = list(asked)[whole - window : whole] if whole else []
    return bool(last) and len(known) > 0 and gap(known, last) > largest_gap(len(known), len(last))


class ScoreLog:
    """The scores of the questions that were asked, and nothing else of them. A line that a crash cut off is left out.

    A number of the lines is kept; where two processes shorten the file at once, lines of one of them may be lost.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, score: float) -> None:
        """Note the score of a question."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as stream:
            stream.write(json_line(round(score, 4)))

    def scores(self) -> list[float]:
        """Those that are kept, oldest first."""
        lines = self.path.read_bytes().splitlines() if self.path.is_file() else []
        if len(lines) > MOST_LINES:
            # A number of whole windows goes, so that the windows after it stay what they were.
            lines = lines[(len(lines) - KEPT_LINES) // WINDOW * WINDOW :]
            # Where nothing can be written the file stays long, and the windows are the same.
            with contextlib.suppress(OSError):
                replace_file(self.path, b"".join(line + b"\n" for line in lines))
        return [score for line in lines if (score := _number(line)) is not None]

    def clear(self) -> None:
        """Begin anew, because another promise is given now."""
        self.path.unlink(missing_ok=True)


def _number(line: bytes) -> float | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return float(value) if isinstance(value, int | float) else None
