"""Bundles looked at: every byte held against its digest, and what other bundles hold of it."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flows.asking import resolve
from flows.teacher import is_bundle
from polyloom.errors import IntegrityError
from polyloom.home import home
from releases.archive import read_archive
from releases.bundle import Manifest, read_manifest, verify

Result = dict[str, Any]


def verify_bundle(given: str) -> Result:
    """Hold every byte of a release, of a bundle's folder or of an exported file against its digest."""
    found = opened(given)
    return {"given": given, "digest": found.digest, "files": len(found.files), "bytes": total(found), "verified": True}


def opened(given: str) -> Manifest:
    """The manifest of what was given, all of it verified. Raises IntegrityError naming the file that is not right."""
    path = Path(given)
    if path.is_file() and path.suffix not in {".yaml", ".yml"}:
        return read_archive(path).manifest
    if is_bundle(given) or (path.is_dir() and os.sep in given):
        return verify(path)
    release = resolve(given)
    return verify(release.path, expected=release.digest)


def show_bundle(given: str) -> Result:
    """The files of a bundle with sizes and hashes, and which other bundles of this machine hold the same."""
    manifest = opened(given)
    others = {name: one for name, one in bundles().items() if one.digest != manifest.digest}
    holders: dict[str, list[str]] = {}
    for name, other in others.items():
        for sha256 in {entry.sha256 for entry in other.files.values()}:
            holders.setdefault(sha256, []).append(name)
    files = [
        {"file": name, **asdict(entry), "also_in": holders.get(entry.sha256, [])}
        for name, entry in sorted(manifest.files.items())
    ]
    shared = sum(entry["size"] for entry in files if entry["also_in"])
    return {
        "given": given,
        "digest": manifest.digest,
        "created": manifest.created,
        "bytes": total(manifest),
        "bytes_shared": shared,
        "bytes_alone": total(manifest) - shared,
        "files": files,
    }


def bundles() -> Mapping[str, Manifest]:
    """The bundles of this machine by `scenario/first digits of the digest`; one that cannot be read is left out."""
    found = {}
    for folder in sorted((home() / "releases").glob("[!.]*/[!.]*")):
        try:
            found[f"{folder.parent.name}/{folder.name[:12]}"] = read_manifest(folder)
        except IntegrityError:
            continue
    return found


def total(manifest: Manifest) -> int:
    """The bytes of a bundle's files."""
    return sum(entry.size for entry in manifest.files.values())
