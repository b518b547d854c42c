"""Every served prediction, kept so that it can be run again; what a disk does never makes an answer wait.

One thread writes what is handed over. Where the disk is slow, full or gone the newest are not kept, `status` says so
and counts them, and the log goes on by itself once the disk takes it again.
"""

import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from polyloom.errors import RequestError
from releases.serving.logged_predictions import find_logged, first_day, remove_days
from releases.serving.prediction_files import DayFiles, check_folder
from releases.serving.prediction_id import day_of
from releases.serving.served_batch import LoggedPrediction, ServedBatch

WRITTEN_AT_ONCE = 256
TIDY_SECONDS = 3600.0
ENDED = "nothing is written any more"
FULL = "the disk is slower than what is to be kept"


@dataclass(frozen=True)
class LogStatus:
    """`state` is `failing`, with its reason, while nothing can be kept; `lost` counts batches since the start."""

    state: Literal["on", "off", "failing"]
    reason: str | None
    lost: int
    waiting_bytes: int


class PredictionLog:
    """A log in a folder, one folder a scenario; any number of processes may share it. Without a folder it is off."""

    def __init__(
        self,
        folder: Path | None,
        *,
        keep_days: int = 30,
        queue_bytes: int = 32 << 20,
        sync_seconds: float = 1.0,
        retry_seconds: float = 1.0,
        process: str | None = None,
    ) -> None:
        """At most about `queue_bytes` wait to be written; `process` names this one's files, by default with its number.

        Raises: RequestError for fewer days than one.
        """
        if keep_days < 1:
            raise RequestError(f"keep_days is {keep_days}; keep predictions for at least 1 day, or turn the log off.")
        self.folder = folder
        self.keep_days = keep_days
        self._queue_bytes, self._process = queue_bytes, process
        self._sync_seconds, self._retry_seconds = sync_seconds, retry_seconds
        self._queue: deque[tuple[int, ServedBatch]] = deque()
        self._waiting, self._lost = 0, 0
        self._reason: str | None = None
        self._changed = threading.Condition()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="prediction log", daemon=True)
        if folder is not None:
            self._thread.start()

    @property
    def status(self) -> LogStatus:
        """How it stands."""
        with self._changed:
            if self.folder is None or self._is_closing:
                return LogStatus("off", "nothing is kept, as was asked for", self._lost, self._waiting)
            reason = self._reason if self._thread.is_alive() else ENDED
            return LogStatus("failing" if reason else "on", reason, self._lost, self._waiting)

    def add(self, batch: ServedBatch) -> bool:
        """Hand a batch over; says whether it was taken. Returns at once."""
        if self.folder is None:
            return False
        weight = batch.weight
        with self._changed:
            if self._is_closing or self._waiting + weight > self._queue_bytes:
                self._lost += 1
                self._reason = self._reason or FULL
                return False
            self._queue.append((weight, batch))
            self._waiting += weight
            self._changed.notify_all()
        return True

    def find(self, prediction: str, *, scenario: str | None = None) -> LoggedPrediction:
        """A prediction of any scenario, or of one. What was handed over just now is waited for, a second at most.

        Raises: RequestError for what is no prediction's id, and for one that is not kept here, or not any more.
        """
        if day_of(prediction) < first_day(self.keep_days):
            raise RequestError(f"{prediction} is kept no more: predictions stay for {self.keep_days} days.")
        if self.folder is None:
            raise RequestError(f"{prediction} was not kept: no predictions are, as was asked for.")
        try:
            return find_logged(self.folder, prediction, scenario=scenario)
        except RequestError:
            self._settle(seconds=1.0)
        return find_logged(self.folder, prediction, scenario=scenario)

    def close(self, *, timeout_seconds: float = 5.0) -> None:
        """Write what waits, if the disk takes it in time; nothing is taken any more."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)
        with self._changed:
            self._lost += len(self._queue)
            self._queue.clear()

    def _settle(self, *, seconds: float) -> None:
        """Let what waits be written."""
        with self._changed:
            self._changed.wait_for(lambda: not self._queue, timeout=seconds)

    def _run(self) -> None:
        assert self.folder is not None
        files = DayFiles(self.folder, process=self._process)
        tidied = synced = float("-inf")
        unsynced = False
        while True:
            batches, closing = self._next(patient=tidied > 0 and not unsynced)
            try:
                if time.monotonic() - tidied >= TIDY_SECONDS:
                    check_folder(self.folder)
                    remove_days(self.folder, before=first_day(self.keep_days))
                    tidied = time.monotonic()
                if batches:
                    self._written(batches, left_out=files.write(batches))
                    unsynced = True
                if unsynced and (closing or time.monotonic() - synced >= self._sync_seconds):
                    files.sync()
                    synced, unsynced = time.monotonic(), False
                self._well()
            except OSError as error:
                self._failed(error)
                if closing:
                    return
            else:
                if closing and len(batches) < WRITTEN_AT_ONCE:
                    return

    def _next(self, *, patient: bool) -> tuple[list[ServedBatch], bool]:
        """The oldest batches, which stay in the queue until they are written, and whether the log is being closed."""
        with self._changed:
            timeout = TIDY_SECONDS if patient else self._sync_seconds
            self._changed.wait_for(lambda: self._queue or self._is_closing, timeout=timeout)
            return [batch for _, batch in list(self._queue)[:WRITTEN_AT_ONCE]], self._is_closing

    def _written(self, batches: list[ServedBatch], *, left_out: int) -> None:
        with self._changed:
            # Whoever closed the log without waiting for it has taken the rest out.
            for _ in range(min(len(batches), len(self._queue))):
                self._waiting -= self._queue.popleft()[0]
            self._lost += left_out
            self._changed.notify_all()

    def _well(self) -> None:
        with self._changed:
            self._reason = None

    def _failed(self, error: OSError) -> None:
        """Say why, and wait a little before the disk is tried again."""
        with self._changed:
            self._reason = error.strerror or type(error).__name__
            self._changed.wait_for(lambda: self._is_closing, timeout=self._retry_seconds)
