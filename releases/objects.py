"""Files by content: equal files of any two bundles are one file on the disk, with a name in each bundle's folder.

`objects/<aa>/<rest of the SHA-256>` and the files of bundles are hard links of each other. So nobody may write to one
in place: a byte changed in one bundle is changed in all, and each of them refuses to open. Where the file system knows
no links, or has no more for a file, a bundle gets a copy.
"""

import errno
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from polyloom.durable import file_digest, publish_folder
from releases.bundle import MANIFEST, FileEntry, read_manifest, verify

# Where they lie below the state folder.
OBJECTS = "objects"
READ_ONLY = 0o444
# No links at all, not to another file system, not by this user, or no more of this file.
CANNOT_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOSYS, errno.EOPNOTSUPP})
# Another process may tidy an object away between two calls.
ATTEMPTS = 5


@dataclass(frozen=True)
class Tidied:
    """What `ObjectStore.tidy` removed: objects that no bundle has any more, and the bytes that were freed."""

    objects: int
    bytes: int


class ObjectStore:
    """The folder of all objects. Processes may put into it and tidy it at the same time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        """Where the content with this digest lies, if it does."""
        return self.folder / sha256[:2] / sha256[2:]

    def holds(self, entry: FileEntry) -> bool:
        """Whether the content is there, byte for byte."""
        path = self.path(entry.sha256)
        try:
            return path.stat().st_size == entry.size and file_digest(path) == entry.sha256
        except FileNotFoundError:
            return False

    def place(self, source: Path, target: Path, entry: FileEntry) -> bool:
        """Make `target` the file of this content, out of `source` if nobody stored it before; tells if it is shared.

        `source` becomes the object itself, read-only, so it may not be written to any more.
        """
        source.chmod(READ_ONLY)
        for _ in range(ATTEMPTS):
            try:
                self._keep(source, entry)
                os.link(self.path(entry.sha256), target)
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno not in CANNOT_LINK:
                    raise
                break
            return True
        shutil.copyfile(source, target)
        target.chmod(READ_ONLY)
        return False

    def tidy(self) -> Tidied:
        """Remove the objects that have no other name left. A bundle that takes one meanwhile keeps its bytes."""
        going = [path for path in self.folder.glob("*/*") if path.is_file() and path.stat().st_nlink == 1]
        freed = 0
        for path in going:
            freed += path.stat().st_size
            path.unlink()
        return Tidied(objects=len(going), bytes=freed)

    def _keep(self, source: Path, entry: FileEntry) -> None:
        """Store the content; an object whose bytes are not what its name says is replaced, never written to."""
        if self.holds(entry):
            return
        path = self.path(entry.sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".draft.") as draft:
            os.link(source, Path(draft) / path.name)
            (Path(draft) / path.name).replace(path)


def publish(staging: Path, folder: Path, objects: ObjectStore) -> None:
    """Make a sealed folder the bundle in `folder`, in one step, sharing what other bundles hold; `staging` goes.

    Raises: IntegrityError when `staging` is not as it was sealed.
    """
    if not folder.is_dir():
        manifest = read_manifest(staging)
        with publish_folder(folder) as draft:
            for name, entry in manifest.files.items():
                (draft / name).parent.mkdir(parents=True, exist_ok=True)
                objects.place(staging / name, draft / name, entry)
            shutil.copyfile(staging / MANIFEST, draft / MANIFEST)
            (draft / MANIFEST).chmod(READ_ONLY)
    shutil.rmtree(staging)


def share(folder: Path, objects: ObjectStore) -> int:
    """Make the files of a bundle that was stored as a copy shared ones; gives how many bytes others hold already.

    Raises: IntegrityError when the bundle is not as it was sealed.
    """
    manifest = verify(folder)
    saved = 0
    for name, entry in manifest.files.items():
        path, stored = folder / name, objects.path(entry.sha256)
        is_known = stored.exists()
        if is_known and stored.samefile(path):
            continue
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".shared.") as draft:
            if objects.place(path, Path(draft) / "file", entry) and is_known:
                (Path(draft) / "file").replace(path)
                saved += entry.size
    return saved
