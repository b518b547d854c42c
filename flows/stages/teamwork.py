"""The leading process of a fit: alone, with processes that it starts, or with those that a launcher started."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flows.stages.job import Job
from flows.stages.launched import JOB, Launched, here, launched
from polyloom.cores import cores
from polyloom.errors import PolyloomError
from polyloom.home import home
from polyloom.progress import Progress

if TYPE_CHECKING:
    from torch._C._distributed_c10d import TCPStore

    from training.device import Placement
    from training.team import Team

LOOPBACK = "127.0.0.1"
START_SECONDS, END_SECONDS, POLL_SECONDS = 600.0, 60.0, 0.05


@contextlib.contextmanager
def fit_team(job: Job, *, progress: Progress) -> Iterator[tuple["Team", "Placement"]]:
    """The team that fits the job and this process's device; the others get to know the job here.

    Raises PolyloomError, naming the log, when one of the others ends before its time.
    """
    from training.device import place
    from training.team import ALONE, process_count

    recipe, environment = job.scenario.recipe, launched(os.environ)
    size = environment.size if environment else process_count(recipe.processes)
    if size == 1:
        yield ALONE, place(recipe.precision)
        return
    placement = place(recipe.precision, number=environment.local_rank if environment else 0)
    progress.log(f"fit: {size} processes")
    with called(environment) if environment else started(job, size) as team_started, fewer_threads(size):
        store, others = team_started
        with others.explained(), joined_by_all(store, job, size=size, placement=placement, others=others) as team:
            yield team, placement


@contextlib.contextmanager
def joined_by_all(
    store: "TCPStore", job: Job, *, size: int, placement: "Placement", others: "Others"
) -> Iterator["Team"]:
    """Wait until all are there, hand out the job, and lead."""
    from training.team import joined

    wait_for(store, size, others=others)
    store.set(JOB, json.dumps(job.ref))
    with joined(store, rank=0, size=size, device=placement.device) as team:
        yield team


def wait_for(store: "TCPStore", size: int, *, others: "Others") -> None:
    """Until every other process has said that it waits. Raises PolyloomError when one ends, or does not come."""
    deadline = time.monotonic() + START_SECONDS
    waited = [here(rank) for rank in range(1, size)]
    while not store.check(waited):
        others.check()
        if time.monotonic() > deadline:
            raise PolyloomError(f"fit: not all of {size} processes came within {START_SECONDS:.0f} s. {others.where}")
        time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def called(place: Launched) -> Iterator[tuple["TCPStore", "Others"]]:
    """The store of the launcher, which started the others and ends them."""
    from training.team import meeting

    yield meeting(place.address, place.port, serves=False), Others(processes=(), logs=())


@contextlib.contextmanager
def started(job: Job, size: int) -> Iterator[tuple["TCPStore", "Others"]]:
    """Processes started here, which end with the block."""
    from training.team import meeting

    store = meeting(LOOPBACK, 0, serves=True)
    logs = [home() / "logs" / f"fit-{job.scenario.name}-{rank}.log" for rank in range(1, size)]
    processes = []
    try:
        for rank, log in enumerate(logs, start=1):
            log.parent.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, "-m", "flows.stages.follow", str(rank), str(size), LOOPBACK, str(store.port)]
            with log.open("wb") as stream:
                processes.append(
                    subprocess.Popen(
                        command,
                        stdin=subprocess.DEVNULL,
                        stdout=stream,
                        stderr=stream,
                        env={**os.environ, "OMP_NUM_THREADS": str(threads_each(size))},
                    )
                )
        others = Others(processes=tuple(processes), logs=tuple(logs))
        yield store, others
        others.wait()
    finally:
        for process in processes:
            process.kill()
            process.wait()


class Others:
    """The processes that this one started, to be looked after."""

    def __init__(self, *, processes: Sequence[subprocess.Popen[bytes]], logs: Sequence[Path]) -> None:
        self._processes = processes
        self._logs = logs

    @property
    def where(self) -> str:
        """Where to look when something is wrong."""
        return f"See {', '.join(map(str, self._logs))}." if self._logs else "See what the launcher printed."

    def check(self) -> None:
        """Raises PolyloomError when one has failed."""
        for number, process in enumerate(self._processes):
            if process.poll():
                last = self._logs[number].read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
                raise PolyloomError(
                    f"fit: process {number + 1} ended with exit code {process.returncode}"
                    f"{f' ({last[0][:200]})' if last else ''}. {self.where}"
                )

    def wait(self) -> None:
        """Until all have ended, as they do by themselves after the last step."""
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS)

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Say which process failed, where the connection to it broke."""
        try:
            yield
        except RuntimeError as error:
            time.sleep(1.0)
            try:
                self.check()
            except PolyloomError as failure:
                raise failure from error
            raise


@contextlib.contextmanager
def fewer_threads(size: int) -> Iterator[None]:
    """This process's share of the cores, for as long as others compute beside it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(min(before, threads_each(size)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_each(size: int) -> int:
    """Threads of each of so many processes on this machine."""
    return max(1, cores() // size)
