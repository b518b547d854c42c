"""Bundles that a downstream service keeps: each in a folder under its digest, and for each alias which was good last.

A bundle of this machine is linked, one elsewhere is fetched from the registry's server; of that only files whose
content no kept bundle has. What comes is held against the registry's digest before it gets its name.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from polyloom.durable import is_used_again, publish_folder, read_json, write_json
from polyloom.errors import IntegrityError, RegistryError
from releases.bundle import MANIFEST, Manifest, read_manifest, verify
from releases.linking import link_file, link_tree
from releases.pyfunc_names import BUNDLE
from releases.registry_lookup import Named, artifact_address, fetched, is_address

KEPT = 3


class BundleCache:
    """A folder that clients of any number of scenarios may share."""

    def __init__(self, folder: Path, *, tracking_uri: str) -> None:
        self.folder = folder
        self.tracking_uri = tracking_uri

    def get(self, scenario: str, found: Named) -> Path:
        """The bundle's folder, made where it is not there yet. Raises: RegistryError, IntegrityError."""
        place = self.folder / "bundles" / found.digest
        if not is_used_again(place):
            with publish_folder(place) as draft:
                if found.folder is not None and (found.folder / MANIFEST).is_file():
                    link_tree(found.folder, draft)
                else:
                    self._fetch(scenario, found, draft)
                verify(draft, expected=found.digest)
        return place

    def discard(self, digest: str) -> None:
        """Forget a bundle that is not what it should be, so that it is got again."""
        shutil.rmtree(self.folder / "bundles" / digest, ignore_errors=True)

    def last_good(self, scenario: str, alias: str) -> Named | None:
        """The bundle that was opened last for an alias, with its folder here; None before the first."""
        record = self._record(scenario, alias)
        if not record.is_file():
            return None
        facts = read_json(record)
        return Named(facts["version"], facts["digest"], self.folder / "bundles" / facts["digest"])

    def note_good(self, scenario: str, alias: str, found: Named) -> None:
        """Remember a bundle that could be opened; of those that no alias names, some of the newest stay."""
        write_json(self._record(scenario, alias), {"version": found.version, "digest": found.digest})
        named = {read_json(record)["digest"] for record in self.folder.glob("*@*.json")}
        others = [path for path in (self.folder / "bundles").glob("[!.]*") if path.name not in named]
        for path in sorted(others, key=lambda path: path.stat().st_mtime)[:-KEPT]:
            shutil.rmtree(path, ignore_errors=True)

    def _record(self, scenario: str, alias: str) -> Path:
        return self.folder / f"{scenario}@{alias}.json"

    def _fetch(self, scenario: str, found: Named, draft: Path) -> None:
        """Every file of a bundle that is not on this machine."""
        if not is_address(self.tracking_uri):
            raise RegistryError(
                f"{scenario}: the bundle of version {found.version} is not on this machine (it was at {found.folder}), "
                f"and a database such as {self.tracking_uri.partition(':')[0]} hands out no files. "
                "Give the address of an MLflow server."
            )
        inside = self._fetch_manifest(scenario, found, draft)
        manifest = read_manifest(draft)
        if manifest.digest != found.digest:
            raise IntegrityError(f"{scenario}: the registry holds the bundle {manifest.digest}, not {found.digest}.")
        known = self._known_files()
        for name, entry in manifest.files.items():
            place = safe_place(draft, name)
            place.parent.mkdir(parents=True, exist_ok=True)
            if entry.sha256 in known:
                link_file(known[entry.sha256], place)
            else:
                address = artifact_address(self.tracking_uri, scenario, found.version, f"{inside}{name}")
                place.write_bytes(fetched(address, most=entry.size))

    def _fetch_manifest(self, scenario: str, found: Named, draft: Path) -> str:
        """Write the manifest; gives where in the version's files the bundle is."""
        try:
            inside = f"{BUNDLE}/"
            content = fetched(artifact_address(self.tracking_uri, scenario, found.version, f"{inside}{MANIFEST}"))
        except RegistryError:
            # A version from before releases were models is the bundle itself.
            inside = ""
            content = fetched(artifact_address(self.tracking_uri, scenario, found.version, MANIFEST))
        (draft / MANIFEST).write_bytes(content)
        return inside

    def _known_files(self) -> dict[str, Path]:
        """The files of all kept bundles by their SHA-256."""
        folders = [path for path in (self.folder / "bundles").glob("[!.]*") if (path / MANIFEST).is_file()]
        return {sha256: path for folder in folders for sha256, path in contents(folder, read_manifest(folder))}


def contents(folder: Path, manifest: Manifest) -> Iterable[tuple[str, Path]]:
    """Each file of a bundle under its SHA-256."""
    return ((entry.sha256, folder / name) for name, entry in manifest.files.items() if (folder / name).is_file())


def safe_place(folder: Path, name: str) -> Path:
    """Where a file that a manifest names goes. Raises: IntegrityError for a name that leads out of the folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts:
        raise IntegrityError(
            f"The manifest names the file {name!r}, which is not inside its bundle. It is not fetched."
        )
    return folder / path
