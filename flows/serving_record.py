"""Which server of this home runs, so that the page finds it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

from flows import processes
from flows.processes import LOOPBACK, Running

SERVE = "serve"
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  (compared with, not bound)


@contextmanager
def forgotten_at_the_end() -> Iterator[None]:
    """Within the block this process may note itself; afterwards no note of it is left."""
    try:
        yield
    finally:
        with suppress(OSError):
            running = processes.read_record(SERVE)
            if running is not None and running.pid == os.getpid():
                processes.forget_record(SERVE)


def note_server(url: str) -> None:
    """Note that this process serves at an address, in the place of a server that was noted before, if the disk will."""
    parts = urlsplit(url)
    host = LOOPBACK if parts.hostname in EVERYWHERE else parts.hostname or LOOPBACK
    reached = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{parts.port}"
    since = datetime.now(UTC).isoformat(timespec="seconds")
    pid = os.getpid()
    born = processes.born(pid) or ""
    with suppress(OSError):
        processes.write_record(Running(SERVE, pid, born, parts.port or 0, reached, log="", since=since, keep=False))
