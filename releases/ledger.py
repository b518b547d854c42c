"""The ledger: an append-only file of what was done to a scenario's releases, one JSON object a line.

Each line holds the digest of the line before it and its own, so that a line that was edited, removed
or put between two others is found. A line is fsynced before `append` returns;
what a killed process left of its last line was never acknowledged and is repaired by the next append.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from polyloom.durable import json_digest, locked, sync_folder
from polyloom.errors import IntegrityError

GENESIS = "0" * 64


@dataclass(frozen=True)
class Entry:
    """One line: `number` counts from 1, `previous` is the digest of the line before, `digest` covers all the rest."""

    number: int
    at: datetime
    event: str
    facts: Mapping[str, Any]
    previous: str
    digest: str


class Lines(Protocol):
    """Where the lines of a ledger are that several machines write."""

    def since(self, scenario: str, number: int) -> dict[int, bytes]:
        """The lines from a number on, by number, in order."""

    def add(self, scenario: str, number: int, line: bytes) -> None:
        """Add a line, or fail where its number is taken."""


class Ledger:
    """One scenario's ledger file; it appears with the first append.

    With `shared` the file is this machine's copy: a line counts once it is there.
    """

    def __init__(self, path: Path, *, shared: Lines | None = None) -> None:
        self.path = path
        self.shared = shared
        self._known: tuple[list[bytes], tuple[Entry, ...]] = ([], ())

    def append(self, event: str, facts: Mapping[str, Any]) -> Entry:
        """Add one line; it is on the disk when this returns.

        Raises:
            IntegrityError: the ledger is broken; nothing is added to a broken chain.
        """
        is_new = not self.path.exists()
        with locked(self.path):
            entries = self._repair()
            entry = _next_entry(entries[-1] if entries else None, event, facts)
            if self.shared is not None:
                self.shared.add(self.path.stem, entry.number, _line(entry))
            self._write([_line(entry)])
        if is_new:
            sync_folder(self.path.parent)
        return entry

    def catch_up(self) -> None:
        """Fetch what other machines wrote, and hand on what was written before the lines were shared.

        Raises:
            IntegrityError: this machine's ledger is another one than the shared one.
        """
        if self.shared is None:
            return
        name = self.path.stem
        with locked(self.path):
            own = [_line(entry) for entry in self._repair()]
            there = self.shared.since(name, max(1, len(own)))
            if own and not there:
                there = self.shared.since(name, 1)
            if any(own[number - 1] != line for number, line in there.items() if number <= len(own)):
                raise IntegrityError(
                    f"{self.path}: this machine's ledger of {name!r} is another one than the one in the database. "
                    f"Move the file away; the next command fetches the other one."
                )
            for number in range(max(there, default=0) + 1, len(own) + 1):
                self.shared.add(name, number, own[number - 1])
            self._write([line for number, line in there.items() if number > len(own)])
        self.verify()

    def entries(self) -> list[Entry]:
        """Every line, oldest first, verified; an unfinished last line is not there yet."""
        return self._parse(self._lines()[0])

    def verify(self) -> int:
        """How many lines there are. Raises IntegrityError that names the first broken one."""
        return len(self.entries())

    def _write(self, lines: list[bytes]) -> None:
        if not lines:
            return
        with self.path.open("ab") as stream:
            stream.write(b"".join(line + b"\n" for line in lines))
            stream.flush()
            os.fsync(stream.fileno())

    def _lines(self) -> tuple[list[bytes], bytes]:
        """The whole lines, and what follows the last line break."""
        content = self.path.read_bytes() if self.path.exists() else b""
        *lines, rest = content.split(b"\n")
        return lines, rest

    def _parse(self, lines: list[bytes]) -> list[Entry]:
        """The entries in these lines. Lines that are byte for byte those of the last look are not verified again."""
        known, verified = self._known
        entries = list(verified) if lines[: len(known)] == known else []
        previous = entries[-1].digest if entries else GENESIS
        for number, line in enumerate(lines[len(entries) :], start=len(entries) + 1):
            entry = _entry(line)
            if entry is None or (entry.number, entry.previous) != (number, previous):
                raise IntegrityError(self._broken(number, len(lines)))
            entries.append(entry)
            previous = entry.digest
        self._known = (lines, tuple(entries))
        return entries

    def _repair(self) -> list[Entry]:
        """The entries, after the unfinished last line was completed (it lacked its line break) or cut off."""
        lines, rest = self._lines()
        entries = self._parse(lines)
        if not rest:
            return entries
        last = _entry(rest)
        with self.path.open("r+b") as stream:
            if last is None:
                stream.truncate(sum(len(line) + 1 for line in lines))
            else:
                stream.seek(0, os.SEEK_END)
                stream.write(b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        return self._parse([*lines, rest]) if last else entries

    def _broken(self, number: int, count: int) -> str:
        return (
            f"{self.path}: line {number} of {count} is not what was written (its digest or its place in the chain "
            f"does not fit). Restore the file from a backup; the first {number - 1} lines can be trusted."
        )


def _next_entry(last: Entry | None, event: str, facts: Mapping[str, Any]) -> Entry:
    number, previous = (last.number + 1, last.digest) if last else (1, GENESIS)
    at = datetime.now(UTC)
    content = _content(number=number, at=at, event=event, facts=facts, previous=previous)
    return Entry(number=number, at=at, event=event, facts=dict(facts), previous=previous, digest=json_digest(content))


def _content(*, number: int, at: datetime, event: str, facts: Mapping[str, Any], previous: str) -> dict[str, Any]:
    """What the digest of a line covers."""
    return {"number": number, "at": at.isoformat(), "event": event, "facts": dict(facts), "previous": previous}


def _line(entry: Entry) -> bytes:
    content = _content(number=entry.number, at=entry.at, event=entry.event, facts=entry.facts, previous=entry.previous)
    return json.dumps({**content, "digest": entry.digest}, separators=(",", ":"), ensure_ascii=False).encode()


def _entry(line: bytes) -> Entry | None:
    """The entry in a line, or None when a single byte of it is not what `append` wrote."""
    try:
        value = json.loads(line)
        digest = value.pop("digest")
        entry = Entry(**(value | {"at": datetime.fromisoformat(value["at"])}), digest=digest)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return entry if digest == json_digest(value) and _line(entry) == line else None
