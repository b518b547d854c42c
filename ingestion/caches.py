"""What was unpacked from archives and fetched from addresses: which of it the scenarios' last ingestions read.

Each scenario notes what it read in the cache. What nobody noted is of older states of an archive or an address, or of
a scenario that is gone; a file that is missed comes back when it is asked for.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from ingestion.tables import ReadTable
from polyloom.durable import json_line, read_json, replace_file

KINDS = ("unpacked", "remote")
NOTE = "caches.json"


def note_used(scenario: Path, tables: Iterable[ReadTable], *, cache: Path) -> None:
    """Note what an ingestion read below `cache`; `scenario` is the scenario's folder in the snapshot store."""
    read = [path for table in tables for path in (*table.paths, *table.source.paths.values(), *_options(table))]
    entries = sorted({entry for path in read if (entry := _entry(path, cache))})
    note = scenario / NOTE
    if entries or note.exists():
        replace_file(note, json_line(entries))


def unused_entries(store: Path, *, cache: Path, before: float) -> list[Path]:
    """Entries of the cache, and drafts, that no scenario noted and that nobody has used since `before` (a time)."""
    noted = {str(entry) for note in store.glob(f"[!.]*/{NOTE}") for entry in read_json(note)}
    there = [path for kind in KINDS for path in (cache / kind).glob("*")]
    return sorted(path for path in there if _name(path) not in noted and path.stat().st_mtime < before)


def _options(table: ReadTable) -> list[Path]:
    """Files that are named beside a source's own."""
    found: list[object] = []
    for value in table.source.options.values():
        found += value.values() if isinstance(value, Mapping) else [value]
    return [Path(value) for value in found if isinstance(value, str | Path)]


def _entry(path: Path, cache: Path) -> str:
    """The entry of the cache that a path lies in, such as `unpacked/1f0c`; empty where that is none."""
    for kind in KINDS:
        if path.is_relative_to(cache / kind) and path != cache / kind:
            return f"{kind}/{path.relative_to(cache / kind).parts[0]}"
    return ""


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
