"""What `predict` and `search` need: the release behind a name, a picture's bytes, rows of a file."""

import json
import os
from pathlib import Path
from typing import Any

from flows import settings
from flows.scenario_name import scenario_name
from modalities.preparation.pictures import PicturePreparation
from polyloom.errors import RequestError
from polyloom.home import home
from releases.changes import CHAMPION
from releases.known_release import KnownRelease, known_release
from releases.registry import Registered, Registry
from releases.runtime import Runtime


def open_release(given: str) -> Runtime:
    """The release behind `SCENARIO[@ALIAS]`, verified. Raises RequestError that says what there is."""
    found = known(given) or resolve(given)
    return Runtime.open(
        found.path, blobs=home() / "blobs", digest=found.digest, indexes=home() / "indexes" / found.scenario
    )


def open_kept(scenario: str, digest: str, *, threads: int = 0) -> Runtime:
    """The release with this digest, champion or not, verified; `threads` as `Runtime.open` takes them.

    Raises RequestError where it is not here any more.
    """
    settings.apply()
    path = home() / "releases" / scenario / digest
    if not path.is_dir():
        raise RequestError(
            f"The release {digest} of {scenario!r} is not here any more: {path} is gone. Bring it back with `polyloom "
            "bundle import FILE` from a machine that has it; `polyloom bundle export` wrote such a file."
        )
    return Runtime.open(
        path, blobs=home() / "blobs", digest=digest, indexes=home() / "indexes" / scenario, threads=threads
    )


def known(given: str) -> KnownRelease | None:
    """The release behind `SCENARIO[@ALIAS]` where the ledger tells it; None where the registry must be asked."""
    settings.apply()
    name, _, alias = given.partition("@")
    return known_release(
        scenario_name(name),
        alias or CHAMPION,
        tracking_uri=os.environ["MLFLOW_TRACKING_URI"],
        ledgers=home() / "ledger",
        releases=home() / "releases",
    )


def resolve(given: str) -> Registered:
    """The registered release behind `SCENARIO[@ALIAS or VERSION]`."""
    settings.apply()
    name, _, alias = given.partition("@")
    store = Registry(os.environ["MLFLOW_TRACKING_URI"], home() / "ledger")
    return store.resolve(scenario_name(name), alias or "champion")


def picture_bytes(path: Path | None) -> bytes | None:
    """A picture's bytes, checked like every picture that comes in. Raises RequestError for what is none."""
    if path is None:
        return None
    from ingestion.pictures import picture_refusal

    try:
        content = path.read_bytes()
    except OSError as error:
        raise RequestError(f"--image {path}: cannot be read ({error.strerror}).") from error
    refusal = picture_refusal(content)
    if refusal is not None:
        raise RequestError(f"--image {path}: {refusal.message}")
    return content


def read_rows(path: Path, runtime: Runtime) -> list[dict[str, Any]]:
    """Rows of a JSONL file; a picture column holds a path beside the file. Raises RequestError naming the line."""
    pictures = [given.column for given in runtime.preparations.values() if isinstance(given, PicturePreparation)]
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"--input {path}: cannot be read as UTF-8 text ({error}).") from error
    return [read_row(line, number, path, pictures) for number, line in enumerate(lines, start=1) if line.strip()]


def read_row(line: str, number: int, path: Path, pictures: list[str]) -> dict[str, Any]:
    """One line as a row."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise RequestError(f"--input {path}, line {number}: not JSON ({error}). Each line is one object.") from error
    if not isinstance(row, dict):
        raise RequestError(f"--input {path}, line {number}: {type(row).__name__}, but each line is one object.")
    for column in pictures:
        if row.get(column) is not None:
            row[column] = picture_bytes(path.parent / str(row[column]))
    return row
