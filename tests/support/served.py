"""Batches as a server hands them to the prediction log."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from releases.serving.prediction_id import new_prediction_id
from releases.serving.prediction_log import PredictionLog
from releases.serving.served_batch import Member, ServedBatch


def one_row(text, *, prediction=None, scenario="shop", **given):
    """A batch of one request of one row."""
    member = Member(prediction=prediction or new_prediction_id(), request="r1", place=0, rows=1)
    return ServedBatch(
        scenario=scenario,
        release="a" * 64,
        action="predict",
        rows=[{"title": text}],
        answers=[{"answers": {}, "missing": []}],
        members=[member],
        **given,
    )


def lines_of(folder):
    """Every whole line below a folder."""
    contents = [path.read_bytes() for path in sorted(Path(folder).rglob("*.jsonl"))]
    return [line for content in contents for line in content.split(b"\n")[:-1] if line]


def day_now():
    """Today's folder name."""
    return datetime.now(UTC).date().isoformat()


def until(holds, *, seconds=20.0):
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.01)


def serve_forever(folder):
    """Hand over batches and say so, until somebody ends the process."""
    log = PredictionLog(Path(folder), sync_seconds=0.05)
    while True:
        batch = one_row("x" * 500)
        log.add(batch)
        print(batch.members[0].prediction, flush=True)
        time.sleep(0.001)


if __name__ == "__main__":
    serve_forever(sys.argv[1])
