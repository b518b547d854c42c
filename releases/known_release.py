"""Which bundle an alias names, by the ledger alone: it decides, and MLflow takes seconds to import to say the same.

For a store in a file, which nobody moves but through this ledger; of any other store the registry must be asked.
"""

from pathlib import Path
from typing import NamedTuple

from releases.changes import changes, standing
from releases.ledger import Ledger
from releases.mlflow_store import sqlite_file
from releases.promotion import open_intent


class KnownRelease(NamedTuple):
    """A scenario's bundle with its digest, and the version that it is registered as."""

    scenario: str
    path: Path
    digest: str
    version: str


def known_release(
    scenario: str, alias: str, *, tracking_uri: str, ledgers: Path, releases: Path
) -> KnownRelease | None:
    """The release behind an alias; None where only the registry can tell.

    That is where the store is no file, an alias or a bundle is not known here, or a promotion was cut off half way.
    Raises: IntegrityError for a broken ledger.
    """
    store, path = sqlite_file(tracking_uri), ledgers / f"{scenario}.jsonl"
    if store is None or not store.is_file() or not path.is_file():
        return None
    ledger = Ledger(path)
    if open_intent(ledger) is not None:
        return None
    made = changes(ledger)
    version = standing(made).aliases.get(alias)
    digest = next((one.digest for one in reversed(made) if one.version == version), None)
    if version is None or digest is None or not (releases / scenario / digest).is_dir():
        return None
    return KnownRelease(scenario, releases / scenario / digest, digest, version)
