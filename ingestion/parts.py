"""Parts: the kept and the refused rows of one chunk, written once and shared by all snapshots that hold the chunk."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock

import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.checking import REFUSED_SCHEMA, Checked
from ingestion.profile import Profile, profile
from polyloom.durable import json_line, place_file, read_json, sync_files
from polyloom.errors import IntegrityError

# A quarter more room than zstd takes, in half the time.
COMPRESSION = "snappy"
# So many parts lose a killed ingestion's work at most.
SYNCED_TOGETHER = 32
# Columns whose values hardly ever repeat: looking for repeats costs time.
DIFFERENT = {"_key", "_hash", "_content", "_identity", "_row", "row", "key", "image", "hash"}


@dataclass(frozen=True, kw_only=True)
class Part:
    """What is known of a part without reading it; the digests are SHA-256 of its two files.

    `forgotten` rows were about items that are to be forgotten: nothing of them is stored. `lines` are the line ends
    of its chunk, 0 where that is not lines of a file.
    """

    digest: str
    rows: int
    refused: int
    found: tuple[str, ...]
    kept_sha256: str
    refused_sha256: str
    forgotten: int = 0
    lines: int = 0


class PartStore:
    """The parts of one scenario. A part is there when its `.json` is, which is written last."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._profiles: dict[str, Profile] = {}
        self._placed: list[Path] = []
        self._records: dict[Path, bytes] = {}
        self._lock = Lock()

    def get(self, digest: str) -> Part | None:
        """A part that was made before, or None."""
        path = self.folder / f"{digest}.json"
        if not path.is_file():
            return None
        known = read_json(path)
        self._profiles[digest] = known.pop("profile")
        part = Part(**{**known, "found": tuple(known["found"])})
        return part if all(file.is_file() for file in self.files(part)) else None

    def put(self, digest: str, checked: Checked, *, forgotten: int = 0, lines: int = 0) -> Part:
        """Write a checked chunk, without the rows that were `forgotten`; it is there for good after `sync`."""
        # One that speaks of files that are gone must not speak of those to come before they are whole.
        (self.folder / f"{digest}.json").unlink(missing_ok=True)
        kept = self._write(f"{digest}.parquet", checked.kept)
        refused = self._write(f"{digest}.refused.parquet", checked.refused) if checked.refused.num_rows else ""
        part = Part(
            digest=digest,
            rows=checked.kept.num_rows,
            refused=checked.refused.num_rows,
            found=tuple(sorted(checked.found)),
            kept_sha256=kept,
            refused_sha256=refused,
            forgotten=forgotten,
            lines=lines,
        )
        self._profiles[digest] = profile(checked.kept)
        told = json_line({**asdict(part), "profile": self._profiles[digest]})
        with self._lock:
            self._records[self.folder / f"{digest}.json"] = told
            is_much = len(self._records) >= SYNCED_TOGETHER
        if is_much:
            self.sync()
        return part

    def sync(self) -> None:
        """Let what was put here survive a power cut, and let later ingestions know of it.

        The records come last: one that is there speaks of files that are whole.
        """
        with self._lock:
            placed, self._placed = self._placed, []
            records, self._records = self._records, {}
        sync_files(placed)
        for path, told in records.items():
            place_file(path, told)
        sync_files(list(records))

    def profile(self, part: Part) -> Profile:
        """What the kept rows of a part look like, column by column."""
        if part.digest not in self._profiles:
            self._profiles[part.digest] = read_json(self.folder / f"{part.digest}.json")["profile"]
        return self._profiles[part.digest]

    def files(self, part: Part) -> list[Path]:
        """The part's data files."""
        kept = self.folder / f"{part.digest}.parquet"
        return [kept, self.folder / f"{part.digest}.refused.parquet"] if part.refused else [kept]

    def kept(self, part: Part, columns: Sequence[str] | None = None, *, verified: bool = False) -> pa.Table:
        """The kept rows of a part; `verified` reads the file's bytes and compares their digest first.

        Raises IntegrityError that names the file.
        """
        return self._read(self.folder / f"{part.digest}.parquet", part.kept_sha256, columns, verified=verified)

    def refused(self, part: Part) -> pa.Table:
        """The refused rows of a part."""
        if not part.refused:
            return REFUSED_SCHEMA.empty_table()
        return self._read(self.folder / f"{part.digest}.refused.parquet", part.refused_sha256, None, verified=True)

    def put_view(self, view: pa.Table) -> str:
        """Write a view under its SHA-256, which is returned; it is there for good after `sync`.

        One that is whole stays untouched, because other snapshots rest on it.
        """
        content = _parquet(view, compression="zstd")
        sha256 = hashlib.sha256(content).hexdigest()
        path = self._view(sha256)
        if not path.is_file() or path.read_bytes() != content:
            self._place(path, content)
        return sha256

    def has_view(self, sha256: str) -> bool:
        """Whether a view is there."""
        return self._view(sha256).is_file()

    def view(self, sha256: str) -> pa.Table:
        """A view. Raises IntegrityError that names the file."""
        return self._read(self._view(sha256), sha256, None, verified=True)

    def _view(self, sha256: str) -> Path:
        return self.folder / f"{sha256}.view.parquet"

    def _write(self, name: str, table: pa.Table) -> str:
        content = _parquet(table, compression=COMPRESSION)
        self._place(self.folder / name, content)
        return hashlib.sha256(content).hexdigest()

    def _place(self, path: Path, content: bytes) -> None:
        place_file(path, content)
        with self._lock:
            self._placed.append(path)

    def _read(self, path: Path, sha256: str, columns: Sequence[str] | None, *, verified: bool) -> pa.Table:
        try:
            if not verified:
                # Not `read_table`, whose way over data sets takes four times as long for one small file.
                with pq.ParquetFile(path) as file:
                    return file.read(columns=columns, use_threads=False)
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() == sha256:
                return pq.ParquetFile(pa.BufferReader(content)).read(columns=columns)
        except (OSError, pa.ArrowException) as error:
            raise IntegrityError(f"{path} cannot be read ({error}). Ingest again.") from error
        raise IntegrityError(f"{path} is not what its snapshot recorded (SHA-256 {sha256}). Ingest again.")


def _parquet(table: pa.Table, *, compression: str) -> bytes:
    buffer = pa.BufferOutputStream()
    repeating = [column for column in table.column_names if column not in DIFFERENT]
    pq.write_table(table, buffer, compression=compression, use_dictionary=repeating)
    content: bytes = buffer.getvalue().to_pybytes()
    return content


def part_of(described: Mapping[str, object]) -> Part:
    """A part as a snapshot's manifest describes it."""
    known = dict(described)
    return Part(**{**known, "found": tuple(known["found"])})  # type: ignore[arg-type]
