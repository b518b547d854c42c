"""Which code this is: the version, and a digest of the packages that decide what a run gives."""

import functools
import hashlib
import importlib.util
from pathlib import Path

VERSION = "0.1.0"
DECIDING = ("ingestion", "modalities", "heads", "training", "retrieval", "releases")


@functools.cache
def code_version() -> str:
    """The version and the first 12 hex digits of the SHA-256 over the deciding packages' source."""
    content = hashlib.sha256()
    for package in DECIDING:
        found = importlib.util.find_spec(package)
        folders = list(found.submodule_search_locations or []) if found else []
        for path in sorted(path for folder in folders for path in Path(folder).rglob("*.py")):
            content.update(path.read_bytes())
    return f"{VERSION}+{content.hexdigest()[:12]}"
