"""The ledger of what a scenario must forget: hashed keys, which keep an item out of every later ingestion."""

import hashlib
import json
import secrets
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from polyloom.durable import replace_file

LEDGER = "forgotten.jsonl"
SALT_BYTES = 16
DIGEST_BYTES = 16


class Forgotten:
    """Keys that were forgotten. The ledger holds no key: each is hashed with a salt that is this scenario's own."""

    def __init__(self, path: Path, *, salt: bytes, entries: list[dict[str, Any]]) -> None:
        self.path = path
        self._salt = salt
        self._entries = entries
        self._hashes = {bytes.fromhex(entry["key"]) for entry in entries}

    @classmethod
    def open(cls, scenario_folder: Path) -> "Forgotten":
        """The ledger of a scenario's folder in the snapshot store; where there is none, nothing is forgotten."""
        path = scenario_folder / LEDGER
        if not path.exists():
            return cls(path, salt=secrets.token_bytes(SALT_BYTES), entries=[])
        first, *rest = path.read_text(encoding="utf-8").splitlines()
        return cls(path, salt=bytes.fromhex(json.loads(first)["salt"]), entries=[json.loads(line) for line in rest])

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return self._hash(key) in self._hashes

    def among(self, keys: Iterable[str | None]) -> np.ndarray:
        """Which of the keys are to be forgotten, bool [keys]."""
        if not self._hashes:
            return np.zeros(len(list(keys)), dtype=bool)
        return np.array([key is not None and self._hash(key) in self._hashes for key in keys], dtype=bool)

    def add(self, keys: Iterable[str], *, snapshots: Sequence[str], pictures: Collection[str]) -> int:
        """Enter keys with the snapshots that hold them and the pictures still to go; returns how many are new."""
        known = {entry["key"]: entry for entry in self._entries}
        at = datetime.now(UTC).isoformat(timespec="seconds")
        for key in dict.fromkeys(keys):
            digest = self._hash(key).hex()
            entry = known.get(digest, {"key": digest, "at": at, "snapshots": [], "pictures": []})
            known[digest] = {
                **entry,
                "snapshots": sorted({*entry["snapshots"], *snapshots}),
                "pictures": sorted({*entry["pictures"], *pictures}),
            }
        new = len(known) - len(self._entries)
        self._write(list(known.values()))
        return new

    def settle(self, keys: Iterable[str]) -> None:
        """Note that the pictures of these keys are gone."""
        digests = {self._hash(key).hex() for key in keys}
        self._write([{**entry, "pictures": []} if entry["key"] in digests else entry for entry in self._entries])

    def told(self, keys: Iterable[str], what: Literal["snapshots", "pictures"]) -> list[str]:
        """The snapshots that held one of the keys when it was forgotten, or the pictures still to be removed."""
        digests = {self._hash(key).hex() for key in keys}
        return sorted({one for entry in self._entries if entry["key"] in digests for one in entry[what]})

    def _write(self, entries: list[dict[str, Any]]) -> None:
        if entries != self._entries:
            self._entries = entries
            self._hashes = {bytes.fromhex(entry["key"]) for entry in entries}
            lines = [{"salt": self._salt.hex()}, *entries]
            replace_file(self.path, "".join(json.dumps(line) + "\n" for line in lines).encode())

    def _hash(self, key: str) -> bytes:
        return hashlib.blake2b(key.encode("utf-8", "replace"), salt=self._salt, digest_size=DIGEST_BYTES).digest()
