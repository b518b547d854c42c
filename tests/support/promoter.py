"""Processes that promote, for the fault tests: MLflow is imported once, then each process is forked from here.

Reads one JSON task a line, answers with one JSON line:
`{"do": "race", "uri", "folder", "rounds"}`  two processes promote against the same champion, in each round
`{"do": "kill", "uri", "folder", "seconds"}` one process promotes on and on and is killed after so many seconds
`{"do": "kill_making", "uri", "folder"}`     one process makes an MLflow database and is killed among the migrations
"""

import itertools
import json
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import mlflow.store.tracking.sqlalchemy_store  # noqa: F401  (before the fork, so that a forked process starts at once)

from polyloom.errors import RegistryError
from releases.mlflow_store import connect
from releases.registry import Registry

VERSIONS = ("1", "2", "3")
fork = multiprocessing.get_context("fork")


def race(uri, folder, rounds):
    barrier, results = fork.Barrier(2), fork.Queue()
    racers = [fork.Process(target=run_rounds, args=(uri, folder, rounds, index, barrier, results)) for index in (0, 1)]
    for racer in racers:
        racer.start()
    outcomes = [results.get(timeout=60) for _ in range(2 * rounds)]
    for racer in racers:
        racer.join(timeout=60)
    print(json.dumps(outcomes))


def run_rounds(uri, folder, rounds, index, barrier, results):
    registry = Registry(uri, folder)
    for number in range(rounds):
        champion = registry.resolve("shop").version
        challenger = [version for version in VERSIONS if version != champion][index]
        barrier.wait(timeout=30)
        try:
            registry.promote("shop", challenger, expected=champion, who=f"racer {index}", why=f"round {number}")
            won = True
        except RegistryError:
            won = False
        results.put({"round": number, "version": challenger, "won": won})
        barrier.wait(timeout=30)


def kill(uri, folder, seconds):
    ready = fork.Event()
    victim = fork.Process(target=promote_on_and_on, args=(uri, folder, ready))
    victim.start()
    ready.wait(timeout=30)
    time.sleep(seconds)
    os.kill(victim.pid, signal.SIGKILL)
    victim.join()
    print(json.dumps({"exit": victim.exitcode}))


def kill_making(uri, folder):
    victim = fork.Process(target=connect, args=(uri,))
    victim.start()
    while not [draft for draft in folder.glob(".*.draft-*/*") if draft.stat().st_size > 0]:
        time.sleep(0.005)
    time.sleep(0.2)
    os.kill(victim.pid, signal.SIGKILL)
    victim.join()
    print(json.dumps({"exit": victim.exitcode}))


def promote_on_and_on(uri, folder, ready):
    registry = Registry(uri, folder)
    champion = registry.resolve("shop").version
    ready.set()
    for version in itertools.cycle(VERSIONS):
        if version != champion:
            registry.promote("shop", version, expected=champion, who="victim", why="until it is killed")
            champion = version


if __name__ == "__main__":
    for line in sys.stdin:
        task = json.loads(line)
        work = {"race": race, "kill": kill, "kill_making": kill_making}[task.pop("do")]
        work(task.pop("uri"), Path(task.pop("folder")), *task.values())
        sys.stdout.flush()
