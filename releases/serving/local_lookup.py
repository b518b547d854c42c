"""Which release an alias names, by this machine's ledger: looked at anew only when it has changed.

MLflow takes seconds to import and says the same; it is asked where the ledger cannot tell.
"""

import time
from pathlib import Path

from releases.known_release import KnownRelease, known_release
from releases.mlflow_store import sqlite_file
from releases.registry_lookup import Named, lookup

PROMOTION_SECONDS = 60.0


class LocalLookup:
    """The releases of one home: `tracking_uri` is its registry, `ledgers` and `releases` are its folders."""

    def __init__(self, *, tracking_uri: str, ledgers: Path, releases: Path) -> None:
        self._tracking_uri = tracking_uri
        self._ledgers = ledgers
        self._releases = releases
        self._known: dict[tuple[str, str], tuple[object, Named]] = {}

    def __call__(self, scenario: str, alias: str) -> Named:
        """The version that the alias points to now. Raises: RegistryError, IntegrityError."""
        if sqlite_file(self._tracking_uri) is None:
            return lookup(self._tracking_uri)(scenario, alias)
        stamp = self._stamp(scenario)
        before = self._known.get((scenario, alias))
        if before is not None and before[0] == stamp:
            return before[1]
        found = known_release(
            scenario, alias, tracking_uri=self._tracking_uri, ledgers=self._ledgers, releases=self._releases
        )
        if found is not None:
            self._known[scenario, alias] = (stamp, as_named(found))
            return as_named(found)
        # Mostly a promotion that is under way: it has ended by the next look, and until then the old one counts.
        if before is not None and self._is_young(scenario):
            return before[1]
        return lookup(self._tracking_uri)(scenario, alias)

    def _is_young(self, scenario: str) -> bool:
        """Whether the ledger was written to just now."""
        return time.time() - (self._ledgers / f"{scenario}.jsonl").stat().st_mtime < PROMOTION_SECONDS

    def _stamp(self, scenario: str) -> object:
        try:
            state = (self._ledgers / f"{scenario}.jsonl").stat()
        except FileNotFoundError:
            return None
        return state.st_mtime_ns, state.st_size, state.st_ino


def as_named(found: KnownRelease) -> Named:
    """A release that the ledger knows."""
    return Named(found.version, found.digest, found.path)
