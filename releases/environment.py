"""What an environment that serves a release must have: distributions with exact versions, and nothing of training."""

import importlib.metadata
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from polyloom.durable import read_json, write_json

RECORD, REQUIREMENTS = "environment.json", "requirements.txt"
ALWAYS = ("numpy", "onnxruntime", "pillow", "pyarrow", "scipy", "sqlglot", "tokenizers")
INDEXED = ("faiss-cpu",)
KEYWORDS = ("bm25s", "pystemmer")
MILVUS = ("pymilvus",)
OPENVINO = ("openvino",)
# Where a recommender has a learned order, and what reads it.
RANKING, RANKED = "recommender/ranking", ("lightgbm",)


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
    """The distributions that `releases.runtime` imports for this bundle, by their canonical names."""
    found = set(ALWAYS)
    index = facts.get("index")
    if index:
        found |= {*INDEXED, *(KEYWORDS if index.get("keyword") else ()), *(MILVUS if index.get("milvus") else ())}
    if (folder / RANKING).is_dir():
        found |= set(RANKED)
    runtimes = {read_json(path).get("runtime", "onnxruntime") for path in folder.glob("encoders/*/encoder.json")}
    if any(runtime.startswith("openvino") for runtime in runtimes):
        found |= set(OPENVINO)
    return sorted(found)


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
