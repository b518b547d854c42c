"""Promotions that race, are killed and taken back; the gate; a large bundle: `python -m benchmarks.releases --json`.

Two processes promote against the same champion at the same moment, again and again: of each pair exactly one must win.
Then a process that promotes is killed with `kill -9` at a random moment of it, each time: the champion must be the old
or the new one, and ledger and aliases agree. MLflow is real, in SQLite or behind the `--store` that is given; the
bundles are empty folders, since the registry never looks into them. `--part` names what is measured: `promotion`,
`gate` (see `benchmarks.releases_gate`; needs banking77), `bundle` (see `benchmarks.releases_bundle`); without it all.
"""

import argparse
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

import mlflow.store.tracking.sqlalchemy_store  # noqa: F401  (before the fork, so that a forked process starts at once)

from benchmarks.figures import Figure, below, share, show
from benchmarks.releases_bundle import bundle_figures
from benchmarks.releases_gate import gate_figures
from polyloom.errors import RegistryError
from polyloom.home import home
from releases.agreement import agreement
from releases.changes import CHAMPION
from releases.mlflow_store import SQLITE, connect
from releases.promotion import open_intent
from releases.registry import Registry

NAME = "raced"
VERSIONS = ("1", "2", "3")
ROLLBACKS = 10
PARTS = ("promotion", "gate", "bundle")
fork = multiprocessing.get_context("fork")


def filled(home: Path, store: str | None) -> tuple[str, Path]:
    """A registry with three releases, the first of which is champion; its address and the folder of its ledger."""
    uri, ledgers = store or f"{SQLITE}{home / 'mlflow.db'}", home / "ledger"
    registry = Registry(uri, ledgers)
    for letter in "abc":
        bundle = home / "releases" / NAME / (letter * 64)
        bundle.mkdir(parents=True)
        registry.register(NAME, bundle, bundle.name, None, {})
    registry.promote(NAME, "1", expected=None, who="bench", why="the first")
    return uri, ledgers


def races(uri: str, ledgers: Path, *, pairs: int) -> list[Figure]:
    """How many pairs had one winner, and whether ledger and aliases agree after all of them."""
    barrier, results = fork.Barrier(2), fork.Queue()
    racers = [fork.Process(target=race, args=(uri, ledgers, pairs, index, barrier, results)) for index in (0, 1)]
    for racer in racers:
        racer.start()
    outcomes = [results.get(timeout=120) for _ in range(2 * pairs)]
    for racer in racers:
        racer.join(timeout=60)
    won = [sum(wins for number, wins in outcomes if number == pair) for pair in range(pairs)]
    registry = Registry(uri, ledgers)
    made = [change for change in registry.history(NAME) if change.outcome == "done"]
    follows = sum(after.against == before.version for before, after in pairwise(made))
    there = registry.aliases(NAME).all()
    kept = (there[CHAMPION], there["previous"]) == (made[-1].version, made[-2].version)
    return [
        share("pairs of promotions with exactly one winner", done=won.count(1), of=pairs, unit="pairs"),
        share("promotions that replaced the one before", done=follows, of=pairs, unit="promotions"),
        Figure(
            name="aliases elsewhere than the ledger says",
            value=len(agreement(registry, NAME).disagreements),
            unit="aliases",
            goal="0",
            met=kept and not agreement(registry, NAME).disagreements,
        ),
    ]


def race(
    uri: str,
    ledgers: Path,
    pairs: int,
    index: int,
    barrier: "multiprocessing.synchronize.Barrier",
    results: "multiprocessing.Queue[tuple[int, bool]]",
) -> None:
    """One side of all pairs."""
    registry = Registry(uri, ledgers)
    for pair in range(pairs):
        champion = registry.resolve(NAME).version
        challenger = [version for version in VERSIONS if version != champion][index]
        barrier.wait(timeout=60)
        try:
            registry.promote(NAME, challenger, expected=champion, who=f"racer {index}", why=f"pair {pair}")
            results.put((pair, True))
        except RegistryError:
            results.put((pair, False))
        barrier.wait(timeout=60)


def kills(uri: str, ledgers: Path, *, count: int, seed: int) -> list[Figure]:
    """How many kills left the old champion or the new one, and how many fell into an unfinished promotion."""
    moments = random.Random(seed)
    whole = within = moved = 0
    each = seconds_of_a_promotion(uri, ledgers)
    for kill in range(count):
        registry = Registry(uri, ledgers)
        before = registry.resolve(NAME).version
        wanted = moments.choice([version for version in VERSIONS if version != before])
        killed_once(uri, ledgers, before, wanted, seconds=moments.uniform(0.0, 1.2 * each))
        within += open_intent(registry.ledger(NAME)) is not None
        registry = Registry(uri, ledgers)
        now = registry.resolve(NAME).version
        told = [change for change in registry.history(NAME) if change.outcome == "done"][-1].version
        whole += now in {before, wanted} and told == now and not agreement(registry, NAME).disagreements
        moved += now == wanted
        if sys.stderr.isatty() or kill % 50 == 49:
            print(f"{kill + 1} of {count} kills, {within} within a promotion", file=sys.stderr, flush=True)
    return [
        share("kills that left the old or the new champion, as the ledger says", done=whole, of=count, unit="kills"),
        Figure(name="kills within a promotion", value=within, unit="kills", goal="more than 0", met=within > 0),
        Figure(
            name="kills after which the new one was champion",
            value=moved,
            unit="kills",
            goal="more than 0",
            met=moved > 0,
        ),
    ]


def killed_once(uri: str, ledgers: Path, before: str, wanted: str, *, seconds: float) -> None:
    """Promote in a child, and kill it after some time."""
    ready = fork.Event()
    victim = fork.Process(target=promote, args=(uri, ledgers, before, wanted, ready))
    victim.start()
    ready.wait(timeout=60)
    time.sleep(seconds)
    if victim.pid is not None:
        os.kill(victim.pid, signal.SIGKILL)
    victim.join()


def promote(uri: str, ledgers: Path, before: str, wanted: str, ready: "multiprocessing.synchronize.Event") -> None:
    """The victim: it has its connection already, promotes once, and waits for its end."""
    registry = Registry(uri, ledgers)
    registry.versions(NAME)
    ready.set()
    registry.promote(NAME, wanted, expected=before, who="victim", why="until it is killed")
    time.sleep(60)


def seconds_of_a_promotion(uri: str, ledgers: Path) -> float:
    """How long one takes, the median of five."""
    registry, taken = Registry(uri, ledgers), []
    for _ in range(5):
        before = registry.resolve(NAME).version
        wanted = VERSIONS[(VERSIONS.index(before) + 1) % len(VERSIONS)]
        started = time.monotonic()
        registry.promote(NAME, wanted, expected=before, who="bench", why="timed")
        taken.append(time.monotonic() - started)
    return median(taken)


def rollbacks(uri: str, ledgers: Path) -> list[Figure]:
    """How long going back takes: the call alone, and the whole command with its imports."""
    registry, taken = Registry(uri, ledgers), []
    for _ in range(ROLLBACKS):
        started = time.monotonic()
        registry.rollback(NAME, "bench", "timed")
        taken.append(time.monotonic() - started)
    command = [sys.executable, "-m", "flows.cli", "rollback", NAME]
    environment = {**os.environ, "POLYLOOM_HOME": str(ledgers.parent), "MLFLOW_TRACKING_URI": uri}
    started = time.monotonic()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    whole = time.monotonic() - started
    return [
        below("rollback, the slowest of ten calls", max(taken), "s", limit=2.0),
        below("`polyloom rollback`, start to end, most of it the import of MLflow", whole, "s", limit=2.0),
    ]


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--store", help="The address of an empty MLflow store, such as postgresql+psycopg://...")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    data = os.environ.get("POLYLOOM_DATA")
    if "gate" in asked.part and not data:
        sys.exit("POLYLOOM_DATA is not set: it names the folder with banking77, by which the gate is judged.")
    figures: list[Figure] = []
    if "promotion" in asked.part:
        figures += promotion_figures(asked)
    if "gate" in asked.part:
        figures += gate_figures(Path(str(data)), home() / "bench" / "releases")
    if "bundle" in asked.part:
        with tempfile.TemporaryDirectory() as place:
            figures += bundle_figures(Path(place))
    sys.exit(show("releases", figures, as_json=asked.json))


def promotion_figures(asked: argparse.Namespace) -> list[Figure]:
    """Races, kills and rollbacks over one store."""
    with tempfile.TemporaryDirectory() as place:
        connect(asked.store or f"{SQLITE}{Path(place) / 'mlflow.db'}")
        # Connections do not survive a fork: this process opens its own only when the racers are done.
        filler = fork.Process(target=filled, args=(Path(place), asked.store))
        filler.start()
        filler.join()
        uri, ledgers = asked.store or f"{SQLITE}{Path(place) / 'mlflow.db'}", Path(place) / "ledger"
        return [
            *races(uri, ledgers, pairs=asked.pairs),
            *kills(uri, ledgers, count=asked.kills, seed=asked.seed),
            *rollbacks(uri, ledgers),
        ]


if __name__ == "__main__":
    main()
