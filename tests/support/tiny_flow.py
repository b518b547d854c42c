"""The smallest flow that a worker can run: it writes down that it ran."""

import time
from pathlib import Path

from prefect import flow, task


@task
def append(path: str, line: str) -> str:
    with Path(path).open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    return line


@flow(name="tiny", persist_result=True)
def tiny(scenario: str, *, line: str = "ran", seconds: float = 0.0) -> str:
    time.sleep(seconds)
    return append(scenario, line)
