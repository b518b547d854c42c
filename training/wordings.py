"""Other wordings of texts, made once and kept on disk by content hash."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from polyloom.durable import read_json, replace_file
from polyloom.progress import SILENT, Progress

BATCH = 32
SEGMENT = 1024
Wordings = tuple[str, ...]


class Rewriter(Protocol):
    """Writes texts otherwise; the wordings of a text do not depend on the texts beside it."""

    @property
    def copies(self) -> int:
        """How many wordings each text is given."""

    def __call__(self, texts: Sequence[str]) -> list[Wordings]:
        """So many wordings of each text."""


class WordingCache:
    """One rewriter's wordings by content hash: JSON files that are only ever added to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self) -> dict[str, Wordings]:
        """All wordings."""
        found: dict[str, Wordings] = {}
        for path in sorted(self.folder.glob("*.json")):
            found |= {digest: tuple(wordings) for digest, wordings in read_json(path).items()}
        return found

    def add(self, made: dict[str, Wordings]) -> None:
        """Write one more file, named after its content, in one step."""
        name = hashlib.sha256("".join(sorted(made)).encode()).hexdigest()[:32]
        self.folder.mkdir(parents=True, exist_ok=True)
        replace_file(self.folder / f"{name}.json", json.dumps(made, ensure_ascii=False).encode())


def wordings_of(
    texts: Sequence[str],
    hashes: Sequence[str],
    *,
    rewriter: Callable[[], Rewriter],
    cache: WordingCache,
    name: str = "write otherwise",
    progress: Progress = SILENT,
) -> list[Wordings]:
    """The wordings of each text; only texts whose hash the cache does not hold are written, each once.

    `rewriter` gives one when there is such a text, so that models are read for nothing else.
    """
    known = cache.read()
    missing = {digest: text for digest, text in zip(hashes, texts, strict=True) if digest not in known}
    if missing:
        write = rewriter()
        # Texts of like length pad each other less.
        order = sorted(missing, key=lambda digest: (len(missing[digest]), digest))
        with progress.stage(name, total=len(order), unit="texts") as bar:
            for segment in pieces(order, SEGMENT):
                made: dict[str, Wordings] = {}
                for part in pieces(segment, BATCH):
                    made |= dict(zip(part, write([missing[digest] for digest in part]), strict=True))
                    bar.advance(len(part))
                cache.add(made)
                known |= made
    return [known[digest] for digest in hashes]


def pieces(items: Sequence[str], size: int) -> list[Sequence[str]]:
    """Items in pieces of at most `size`."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def by_copy(wordings: Sequence[Wordings | None], values: Sequence[object | None]) -> list[list[object | None]]:
    """The first wording of every value, then the second, and so on; a value without wordings is itself each time."""
    copies = max((len(found) for found in wordings if found is not None), default=0)
    return [
        [value if found is None else found[number] for found, value in zip(wordings, values, strict=True)]
        for number in range(copies)
    ]
