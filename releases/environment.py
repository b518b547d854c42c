"""What an environment that serves a release must have: distributions with exact versions, and nothing of training."""

import importlib.metadata
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from polyloom.durable import write_json
from releases.requirements import distributions

RECORD, REQUIREMENTS = "environment.json", "requirements.txt"
MILVUS = ("pymilvus",)
# A registry may hand a release out; none is needed to answer with one.
MLFLOW = "mlflow-skinny"


def write_environment(folder: Path, facts: Mapping[str, Any]) -> dict[str, str | None]:
    """Write `environment.json` and `requirements.txt` of a bundle; gives what it asks for itself, with versions.

    `facts` are its `application.json`. Nothing of this machine is in it, so that two machines with the same
    distributions write the same.
    """
    direct = serving_needs(folder, facts)
    every = {name: installed(name) for name in sorted(closure(direct))}
    own = {name: every[name] for name in direct}
    rest = {name: version for name, version in every.items() if name not in own}
    write_json(folder / RECORD, {"python": platform.python_version(), "serving": own, "needed by these": rest})
    lines = [f"{name}=={version}" if version else name for name, version in every.items()]
    header = f"# What serving this release needs, as it was when it was made, with Python {platform.python_version()}."
    (folder / REQUIREMENTS).write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return own


def serving_needs(folder: Path, facts: Mapping[str, Any]) -> list[str]:
    """The distributions that answering with this bundle imports, by their canonical names; MLflow is not among them."""
    milvus = MILVUS if (facts.get("index") or {}).get("milvus") else ()
    return sorted(canonicalize_name(name) for name in {*distributions(folder, facts), *milvus} - {MLFLOW})


def closure(names: Iterable[str]) -> set[str]:
    """These distributions and all that they require, as this environment has them."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in found:
            found.add(name)
            waiting += requirements_of(name)
    return found


def requirements_of(name: str) -> list[str]:
    """What a distribution requires here, without its extras; nothing where it is not installed."""
    try:
        given = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    parsed = [Requirement(line) for line in given]
    return [one.name for one in parsed if one.marker is None or one.marker.evaluate({"extra": ""})]


def installed(name: str) -> str | None:
    """The version of a distribution; None where it is not installed, such as a client that only serving needs."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
