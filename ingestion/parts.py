"""Parts: the kept and the refused rows of one chunk, written once and shared by all snapshots that hold the chunk."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.checking import REFUSED_SCHEMA, Checked
from ingestion.profile import profile
from polyloom.durable import read_json, replace_file, write_json
from polyloom.errors import IntegrityError

# A quarter more room than zstd takes, in half the time.
COMPRESSION = "snappy"
# Columns whose values hardly ever repeat: looking for repeats costs time.
DIFFERENT = {"_key", "_hash", "_content", "_identity", "_row"}


@dataclass(frozen=True, kw_only=True)
class Part:
    """What is known of a part without reading it; the digests are SHA-256 of its two files.

    `forgotten` rows were about items that are to be forgotten: nothing of them is stored.
    """

    digest: str
    rows: int
    refused: int
    found: tuple[str, ...]
    kept_sha256: str
    refused_sha256: str
    forgotten: int = 0


class PartStore:
    """The parts of one scenario. A part is there when its `.json` is, which is written last."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, digest: str) -> Part | None:
        """A part that was made before, or None."""
        path = self.folder / f"{digest}.json"
        if not path.is_file():
            return None
        known = read_json(path)
        del known["profile"]
        part = Part(**{**known, "found": tuple(known["found"])})
        return part if all(file.is_file() for file in self.files(part)) else None

    def put(self, digest: str, checked: Checked, *, forgotten: int = 0) -> Part:
        """Write a checked chunk, without the rows that were `forgotten`."""
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
        )
        write_json(self.folder / f"{digest}.json", {**asdict(part), "profile": profile(checked.kept)})
        return part

    def profile(self, part: Part) -> dict[str, Any]:
        """What the kept rows of a part look like, column by column."""
        found: dict[str, Any] = read_json(self.folder / f"{part.digest}.json")["profile"]
        return found

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

    def _write(self, name: str, table: pa.Table) -> str:
        buffer = pa.BufferOutputStream()
        repeating = [column for column in table.column_names if column not in DIFFERENT]
        pq.write_table(table, buffer, compression=COMPRESSION, use_dictionary=repeating)
        content = buffer.getvalue().to_pybytes()
        replace_file(self.folder / name, content)
        return hashlib.sha256(content).hexdigest()

    def _read(self, path: Path, sha256: str, columns: Sequence[str] | None, *, verified: bool) -> pa.Table:
        try:
            if not verified:
                return pq.read_table(path, columns=columns, use_threads=False)
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() == sha256:
                return pq.read_table(pa.BufferReader(content), columns=columns)
        except (OSError, pa.ArrowException) as error:
            raise IntegrityError(f"{path} cannot be read ({error}). Ingest again.") from error
        raise IntegrityError(f"{path} is not what its snapshot recorded (SHA-256 {sha256}). Ingest again.")


def part_of(described: Mapping[str, object]) -> Part:
    """A part as a snapshot's manifest describes it."""
    known = dict(described)
    return Part(**{**known, "found": tuple(known["found"])})  # type: ignore[arg-type]
