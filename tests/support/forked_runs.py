"""`polyloom run` in processes forked from one that has paid for the imports: for tests that kill one after another."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.forked_calls import forked


class ForkedRun:
    """One command, with as much of `subprocess.Popen` as a test of kills asks for."""

    def __init__(self, words: Sequence[str], *, environment: Mapping[str, str], folder: Path) -> None:
        self._folder = folder
        self._process = forked(run, list(words), dict(environment), folder)

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: int) -> None:
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("polyloom", timeout)
        return (self._folder / "stdout").read_text(), (self._folder / "stderr").read_text()


def run(words: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
    """The command in this process, which ends with its exit code."""
    from flows import server
    from flows.cli import main

    for stream, name in ((1, "stdout"), (2, "stderr")):
        handle = os.open(folder / name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(handle, stream)
    os.environ.update(environment)
    with server.connected(environment["PREFECT_API_URL"]):
        main(list(words))
