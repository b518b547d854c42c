"""The teacher that a recipe names: a bundle's folder, or a release."""

from pathlib import Path

from releases.bundle import MANIFEST, read_manifest
from releases.runtime import Runtime


def open_teacher(given: str) -> Runtime:
    """The teacher, verified. Raises RequestError when there is no such release, IntegrityError for changed bytes."""
    from flows.asking import open_release

    return Runtime.open(Path(given)) if is_bundle(given) else open_release(given)


def teacher_digest(given: str) -> str:
    """The digest of the bundle that a teacher's name leads to now."""
    from flows.asking import resolve

    return read_manifest(Path(given)).digest if is_bundle(given) else resolve(given).digest


def is_bundle(given: str) -> bool:
    """Whether a sealed bundle lies there."""
    return (Path(given) / MANIFEST).is_file()
