"""Which recommender and which promise of a release answer: those sealed with it, or later ones made from newer data.

Later ones lie in folders that are sealed as a bundle is, beside the changing index; a pointer file, which moves last,
says which of them counts.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from polyloom.durable import locked, publish_folder, read_json, write_json
from releases.bundle import seal, verify

POINTER, NOTE, LOCK = "current.json", "note.json", "uses.lock"


class Uses(NamedTuple):
    """A folder with what a release is used by; `stamp` is another one whenever the folder is."""

    folder: Path
    stamp: object


class LiveUses:
    """What a release is used by; `sealed` is its bundle, and nothing later is looked for where `place` is None."""

    def __init__(self, sealed: Path, *, place: Path | None) -> None:
        self.sealed = sealed
        self.place = place
        self._known: Uses | None = None

    def present(self) -> Uses:
        """The folder that counts now. Raises: IntegrityError naming what of it is missing or changed."""
        stamp = self._stamp()
        if stamp is None or self.place is None:
            return Uses(self.sealed, None)
        if self._known is None or self._known.stamp != stamp:
            pointer = read_json(self.place / POINTER)
            folder = self.place / pointer["folder"]
            verify(folder, expected=pointer["digest"])
            self._known = Uses(folder, stamp)
        return self._known

    def _stamp(self) -> object | None:
        try:
            state = (self.place / POINTER).stat() if self.place else None
        except FileNotFoundError:
            return None
        return None if state is None else (state.st_mtime_ns, state.st_ino)


def uses_place(indexes: Path, digest: str) -> Path:
    """Where later uses of a release lie, beside the changing indexes of its scenario."""
    return indexes / f"uses-{digest[:32]}"


def note_of(folder: Path) -> dict[str, Any]:
    """What later uses were made from, as who made them wrote it; empty for those that a release was sealed with."""
    path = folder / NOTE
    found: dict[str, Any] = read_json(path) if path.is_file() else {}
    return found


@contextmanager
def publish_uses(place: Path, note: dict[str, Any]) -> Iterator[Path]:
    """A folder to be filled that counts from the end of the block on; the one before it stays for who reads it."""
    place.mkdir(parents=True, exist_ok=True)
    with locked(place / LOCK):
        pointer: dict[str, Any] = read_json(place / POINTER) if (place / POINTER).is_file() else {}
        number = pointer.get("number", 0) + 1
        target = place / f"{number:06}"
        # What a killed process left was never pointed to.
        shutil.rmtree(target, ignore_errors=True)
        with publish_folder(target) as draft:
            yield draft
            write_json(draft / NOTE, note)
            digest = seal(draft)
        write_json(place / POINTER, {"number": number, "folder": target.name, "digest": digest})
        kept = {target.name, pointer.get("folder")}
        for old in place.iterdir():
            if old.is_dir() and old.name not in kept:
                shutil.rmtree(old, ignore_errors=True)
