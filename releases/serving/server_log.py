"""The server's own log: one JSON object a line, of facts that are the server's and never a caller's.

No path, query, header, body or message of an exception is in it, since messages quote values. Lines are written by a
thread of the log's own, so that neither a full disk nor a pipe that nobody reads costs a request: what cannot be
written is counted, and told once it can.
"""

import json
import re
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Literal, Self

from releases.serving.failure_frames import told_failure
from releases.serving.handled import Handled
from releases.serving.known import Known
from releases.serving.log_sink import LogSink

Level = Literal["debug", "info", "warning", "error"]
Fact = str | float | bool | None
# What an event may tell. A new one belongs here only if no caller can choose what stands in it.
FACTS = frozenset(
    {
        "scenario",
        "alias",
        "version",
        "release",
        "digest",
        "previous_version",
        "previous_release",
        "action",
        "reason",
        "outcome",
        "state",
        "error",
        "seconds",
        "rows",
        "count",
        "lines",
        "bytes",
        "limit",
        "address",
        "port",
        "token",
        "prediction",
        "process",
        "signal",
        "library",
        "place",
        "says",
        "since",
    }
)
HARMLESS = re.compile(r"[\w.:/%<>()\[\], -]{0,200}", re.ASCII)
# Lines that may wait; some 4 MB.
MOST_WAITING = 10_000
# Written together, so that a thread switch is paid for once and not for each line.
PAUSE_SECONDS = 0.02
CLOSING_SECONDS = 2.0


class ServerLog:
    """A log on stderr, or in a file that is opened anew when logrotate has moved it. `lost` lines could not be kept."""

    def __init__(self, path: Path | None = None, *, known: Known) -> None:
        self._known = known
        self._sink = LogSink(path)
        self._waiting: SimpleQueue[str | None] = SimpleQueue()
        self._refused = 0
        self._writer = threading.Thread(target=self._write, name="server log", daemon=True)
        self._writer.start()

    @property
    def lost(self) -> int:
        """How many lines could not be written so far."""
        return self._refused + self._sink.lost

    def handled(self, handled: Handled) -> None:
        """A request, once it is answered."""
        told = vars(self._known.clean(handled))
        level: Level = "error" if handled.status >= 500 else "info"
        self._add(level, "handled", {**told, "seconds": round(handled.seconds, 6)})

    def event(self, name: str, /, *, level: Level = "info", request_id: str | None = None, **facts: Fact) -> None:
        """Something that happened to the server; of `facts` only those named in FACTS, and only harmless ones."""
        self._add(level, name, {"request_id": request_id, **harmless(facts)})

    def failure(self, error: BaseException, request_id: str | None = None) -> None:
        """An exception by its type and where it came from."""
        self._add("error", "failure", {"request_id": request_id, **told_failure(error)})

    def close(self) -> None:
        """Write what waits; a sink that takes nothing is not waited for longer than two seconds."""
        self._waiting.put(None)
        self._writer.join(CLOSING_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _add(self, level: Level, event: str, fields: Mapping[str, Any]) -> None:
        if self._waiting.qsize() >= MOST_WAITING:
            self._refused += 1
            return
        self._waiting.put(line(level, event, fields))

    def _write(self) -> None:
        told = 0
        open_ = True
        while open_:
            lines = [self._waiting.get()]
            time.sleep(PAUSE_SECONDS if lines[0] is not None else 0)
            lines += drained(self._waiting)
            open_ = None not in lines
            if self._sink.write([one for one in lines if one is not None]) and self.lost > told:
                lost, told = self.lost - told, self.lost
                self._sink.write([line("warning", "log_lost", {"lines": lost})])
        self._sink.close()


def line(level: Level, event: str, fields: Mapping[str, Any]) -> str:
    """One line of the log; what is None is left out."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = {"at": at, "level": level, "event": event}
    told.update((name, value) for name, value in fields.items() if value is not None)
    return json.dumps(told, separators=(",", ":")) + "\n"


def harmless(facts: Mapping[str, Fact]) -> dict[str, Fact | list[str]]:
    """The facts that may be told; the names of the others, so that they are missed."""
    told: dict[str, Fact | list[str]] = {name: shown(value) for name, value in facts.items() if name in FACTS}
    if len(told) < len(facts):
        told["left_out"] = sorted(facts.keys() - FACTS)
    return told


def shown(value: Fact) -> Fact:
    """A number as it is; a text if it can be a name, a digest or an address, else `unsafe`."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return value if isinstance(value, str) and HARMLESS.fullmatch(value) else "unsafe"


def drained(waiting: SimpleQueue[str | None]) -> list[str | None]:
    """All that waits at this moment."""
    lines: list[str | None] = []
    try:
        while len(lines) < MOST_WAITING:
            lines.append(waiting.get_nowait())
    except Empty:
        pass
    return lines
