"""Which labels of which rows were corrected already: what a log says, read on as it grows."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from ingestion.event_log import is_log, segments


class CorrectedLabels:
    """By prediction and row the last label of each target column. Not to be shared between threads without a lock."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read: dict[Path, int] = {}
        self._labels: dict[tuple[str, int], dict[str, Any]] = defaultdict(dict)

    def of(self, prediction: str, row: int) -> dict[str, Any]:
        """The labels of a row; what other processes noted meanwhile is among them."""
        if is_log(self._log):
            for segment in segments(self._log):
                self._read_on(segment.path, segment.size)
        return dict(self._labels.get((prediction, row), {}))

    def _read_on(self, path: Path, size: int) -> None:
        begin = self._read.get(path, 0)
        if begin < size:
            with path.open("rb") as stream:
                stream.seek(begin)
                lines = stream.read(size - begin).splitlines()
            for line in map(json.loads, lines):
                self._labels[line["prediction"], line["row"]][line["target"]] = line["label"]
            self._read[path] = size
