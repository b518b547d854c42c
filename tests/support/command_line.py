"""The command `polyloom` as a user runs it: in a process of its own, or inside this one."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

QUIET = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
LIMIT_SECONDS = 280


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout as the one JSON value that it must be."""
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """Everything that came out, on one line: tables and messages wrap."""
        return re.sub(r"\s+", " ", self.out + self.err)


def command(*words: object) -> list[str]:
    """The command line of `polyloom WORDS`."""
    return [sys.executable, "-m", "flows.cli", *map(str, words)]


def in_process_of_its_own(*words: object, environment: Mapping[str, str], folder: Path) -> Ended:
    """Run `polyloom WORDS` as a child process in `folder`."""
    ended = subprocess.run(
        command(*words),
        cwd=folder,
        env={**os.environ, **QUIET, **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    return Ended(code=ended.returncode, out=ended.stdout, err=ended.stderr)


def inside(*words: object, environment: Mapping[str, str]) -> Ended:
    """Run `polyloom WORDS` in this process, which has paid for the imports already and keeps its own environment."""
    from flows.cli import main

    with kept_environment():
        ended = CliRunner().invoke(main, [str(word) for word in words], env=dict(environment))
    return Ended(code=ended.exit_code, out=ended.stdout, err=ended.stderr)


@contextmanager
def kept_environment() -> Iterator[None]:
    """`os.environ` afterwards as it was before: a command completes it for its children."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def state(home: Path, *, server: str, mlflow: str) -> dict[str, str]:
    """The environment of a state folder of its own on the shared Prefect server."""
    return {
        "POLYLOOM_HOME": str(home),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_API_URL": server,
        "MLFLOW_TRACKING_URI": mlflow,
    }
