"""Releases carried to another machine and taken in from one: `polyloom bundle export` and `import`."""

import getpass
import re
import tempfile
from pathlib import Path
from typing import Any

from flows.asking import resolve
from flows.released_rows import SNAPSHOT_TAG, pictures_of, registry
from flows.tracking import TrainingRun
from ingestion.blobs import blob_path
from ingestion.pictures import picture_limits, picture_refusal, size_refusal
from polyloom.durable import locked, read_json, sync_files
from polyloom.errors import IntegrityError, RequestError
from polyloom.home import home
from polyloom.version import code_version
from releases.archive import BUNDLE, PICTURES, Archived, ReleaseRecord, read_archive, write_archive
from releases.bundle import verify
from releases.changes import CANDIDATE, KEPT
from releases.mlflow_store import is_server
from releases.objects import OBJECTS, ObjectStore, publish
from releases.registry import Registered, Registry

Result = dict[str, Any]
CODE_TAG, ORIGIN_TAG = "polyloom.code", "polyloom.imported"
# The alias of the release that was taken in last; the ledger says of each where it came from.
IMPORTED = "imported"
ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,63}")
LONGEST_TAG = 100


def export_release(given: str, path: Path, *, with_pictures: bool) -> Result:
    """Write the release behind `SCENARIO[@ALIAS or VERSION]` to a file; gives what is in it."""
    release = resolve(given)
    shown = sorted({picture for _, picture in pictures_of(release.path)}) if with_pictures else []
    # What was forgotten since is not there any more.
    there = {sha256: found for sha256 in shown if (found := blob_path(home() / "blobs", sha256)).is_file()}
    record = ReleaseRecord(
        scenario=release.scenario,
        version=release.version,
        digest=release.digest,
        title=str(read_json(release.path / "application.json")["title"]),
        tags={name: release.tags[name] for name in (SNAPSHOT_TAG, CODE_TAG) if name in release.tags},
        history=told_history(registry(), release),
        pictures={sha256: found.stat().st_size for sha256, found in there.items()},
    )
    write_archive(path, record, release.path, picture=there.__getitem__)
    return {
        "scenario": release.scenario,
        "version": release.version,
        "digest": release.digest,
        "file": str(path),
        "bytes": path.stat().st_size,
        "pictures": len(there),
        "pictures_missing": len(shown) - len(there),
    }


def told_history(store: Registry, release: Registered) -> list[Result]:
    """What the ledger says of a version: who decided what, and by which figures the gate passed it."""
    names = ("at", "action", "alias", "version", "digest", "against", "who", "why", "outcome")
    return [
        {name: change.at.isoformat() if name == "at" else getattr(change, name) for name in names}
        for change in store.history(release.scenario)
        if change.version == release.version
    ]


def import_release(path: Path, *, alias: str, expected: str | None) -> Result:
    """Take a release in from a file: unpacked beside the others, every byte checked, registered, noted in the ledger.

    With `expected`, only the bundle of that digest. Raises: IntegrityError for a file that is not as it was exported,
    RequestError for an alias that cannot be given.
    """
    if alias != CANDIDATE and (alias in KEPT or not ALIAS.fullmatch(alias)):
        raise RequestError(
            f"--alias {alias!r} cannot be given. Use {CANDIDATE!r}, 'champion', or a name of your own out of small "
            f"letters, digits, '-' and '_'."
        )
    incoming = home() / "incoming"
    with locked(home() / "locks" / "incoming"):
        incoming.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=incoming, prefix="release.") as folder:
            archived = read_archive(path, Path(folder))
            check_origin(archived, Path(folder) / BUNDLE, path=path, expected=expected)
            take_pictures(Path(folder) / PICTURES, path=path)
            bundle = home() / "releases" / archived.record.scenario / archived.record.digest
            is_known = bundle.is_dir()
            if is_known:
                verify(bundle, expected=archived.record.digest)
            publish(Path(folder) / BUNDLE, bundle, ObjectStore(home() / OBJECTS))
    return {**enter(archived.record, bundle, alias=alias), "file": str(path), "bundle_was_there": is_known}


def check_origin(archived: Archived, bundle: Path, *, path: Path, expected: str | None) -> None:
    """Raises IntegrityError for another bundle than was expected, or for one of another scenario than is told."""
    record = archived.record
    if expected is not None and record.digest != expected:
        raise IntegrityError(f"{path} holds the bundle {record.digest}, not {expected}. Nothing was taken from it.")
    try:
        name = read_json(bundle / "application.json")["name"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        name = None
    if name != record.scenario:
        raise IntegrityError(
            f"{path} tells of a release of {record.scenario!r}, but its bundle is of {name!r}. Nothing was taken in."
        )


def take_pictures(folder: Path, *, path: Path) -> None:
    """Put pictures that came along among the others. Raises IntegrityError for what is none, or over the limits."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    with picture_limits():
        for picture in found:
            refusal = size_refusal(picture.stat().st_size) or picture_refusal(picture.read_bytes())
            if refusal is not None:
                raise IntegrityError(f"{path}: {PICTURES}/{picture.name}: {refusal.message} Nothing was taken from it.")
    places = {picture: blob_path(home() / "blobs", picture.name) for picture in found}
    sync_files(found)
    for picture, place in places.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        picture.chmod(0o644)
        picture.replace(place)


def enter(record: ReleaseRecord, bundle: Path, *, alias: str) -> Result:
    """Register an imported bundle, give it its alias, and note in the ledger where it came from."""
    store, name = registry(), record.scenario
    known = next((one for one in store.versions(name) if one.digest == record.digest), None)
    run_id = run_of(store, record) if known is None else known.run_id
    # Known or not: the folder may have been removed and come back.
    version = store.register(name, bundle, record.digest, run_id, tags_of(record))
    why = f"imported: version {record.version} of {name} on another machine"
    for wanted in (IMPORTED, alias) if known is None else (alias,):
        if wanted != CANDIDATE:
            held = next((one.version for one in store.versions(name) if wanted in one.aliases), None)
            store.promote(name, version, expected=held, who=getpass.getuser(), why=why, alias=wanted)
    return {
        "scenario": name,
        "status": "imported" if known is None else "there already",
        "version": version,
        "digest": record.digest,
        "aliases": list(store.resolve(name, version).aliases),
        "was_version": record.version,
        "pictures": len(record.pictures),
    }


def run_of(store: Registry, record: ReleaseRecord) -> str | None:
    """An MLflow server registers nothing without a run: one that only says what was imported."""
    if not is_server(store.tracking_uri):
        return None
    run = TrainingRun.open(
        tracking_uri=store.tracking_uri,
        artifact_root=home() / "mlartifacts",
        scenario=record.scenario,
        fingerprint=f"import-{record.digest}",
        flow_run_id=None,
        tags={CODE_TAG: code_version(), "polyloom.status": "imported"},
    )
    run.finish()
    return run.run_id


def tags_of(record: ReleaseRecord) -> dict[str, str]:
    """Tags of an imported version: of what came with it only what is known, and not without end."""
    kept = {name: str(record.tags[name])[:LONGEST_TAG] for name in (SNAPSHOT_TAG, CODE_TAG) if name in record.tags}
    return {**kept, ORIGIN_TAG: f"version {record.version} of another machine"}
