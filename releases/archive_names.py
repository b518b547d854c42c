"""Which names of files may leave one machine and be written on another."""

import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

from polyloom.errors import IntegrityError
from releases.bundle import MANIFEST

CURE = "Nothing was written. Ask whoever made it for another."


def check_names(names: Iterable[str], *, where: str) -> None:
    """Raises IntegrityError for a name that leads out of its folder, or is the same as another on some file system."""
    seen: dict[str, str] = {}
    for name in names:
        if (problem := problem_of(name)) is not None:
            raise IntegrityError(f"{where}: the file name {name!r} {problem}. {CURE}")
        alike = seen.setdefault(folded(name), name)
        if alike != name:
            raise IntegrityError(
                f"{where}: the file names {alike!r} and {name!r} differ only in case or in the form of their "
                f"characters, so some file systems hold one of them only. {CURE}"
            )
    for key, name in seen.items():
        above = next((str(folder) for folder in PurePosixPath(key).parents if str(folder) in seen), None)
        if above is not None:
            raise IntegrityError(f"{where}: {seen[above]!r} cannot be a file and the folder of {name!r}. {CURE}")


def problem_of(name: str) -> str | None:
    """What is wrong with a name by itself."""
    if name.startswith("/"):
        return "is absolute"
    if "\\" in name or ":" in name or not name.isprintable():
        return "has characters that mean something else on another system"
    if any(part in {"", ".", ".."} for part in name.split("/")):
        return "leads out of its folder"
    return "is kept for the list of files itself" if folded(name) == MANIFEST else None


def folded(name: str) -> str:
    """The form in which names are compared by file systems that know no case and one form of each character."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
