"""Toy snapshots for the checks on data: built in memory, read the way a snapshot on disk is."""

import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from ingestion.blobs import BlobStore
from ingestion.examination.findings import Finding
from ingestion.quarantine import QUARANTINE_SCHEMA

TYPES = {
    "number": pa.float64(),
    "category": pa.string(),
    "labels": pa.list_(pa.string()),
    "text": pa.string(),
    "tokens": pa.list_(pa.string()),
    "image": pa.string(),
    "time": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True, kw_only=True)
class ToySnapshot:
    """`size` rows come at a time, as they do from a large snapshot."""

    tables: Mapping[str, pa.Table]
    manifest: Mapping[str, Any]
    id: str = "toy"
    size: int = 70
    refused: pa.Table = field(default_factory=QUARANTINE_SCHEMA.empty_table)

    def batches(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        table = self.tables[name].select(columns or self.tables[name].column_names)
        for start in range(0, table.num_rows, self.size):
            yield table.slice(start, self.size)

    def quarantine(self) -> pa.Table:
        return self.refused


def toy(*, kinds: Mapping[str, str], split: Sequence[str], refused: pa.Table | None = None, **columns) -> ToySnapshot:
    rows = len(split)
    typed = {name: pa.array(columns[name], TYPES[kind]) for name, kind in kinds.items()}
    table = pa.table(
        {
            **typed,
            "_key": [f"k{row}" for row in range(rows)],
            "_split": list(split),
            "_source": ["items.csv"] * rows,
            "_row": pa.array(range(2, rows + 2), pa.int64()),
        }
    )
    splits = {name: list(split).count(name) for name in sorted(set(split))}
    bad = 0 if refused is None else refused.num_rows
    about = {
        "rows_in": rows + bad,
        "rows_kept": rows,
        "rows_quarantined": bad,
        "splits": splits,
        "columns": dict(kinds),
        "reasons": Counter([] if refused is None else refused["reason"].to_pylist()),
    }
    return ToySnapshot(
        tables={"items": table},
        manifest={"scenario": "toy", "created": "2024-05-06", "tables": {"items": about}},
        refused=QUARANTINE_SCHEMA.empty_table() if refused is None else refused,
    )


def alarms(found: Mapping[str, Finding]) -> list[str]:
    return sorted(code for code, finding in found.items() if finding.severity != "info")


def splits(rows: int) -> list[str]:
    return [("train", "train", "train", "validation", "test")[row % 5] for row in range(rows)]


def sentences(rows: int, *, seed: int = 0, words: int = 9) -> list[str]:
    """Random sentences that share no long run of characters."""
    draw = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return [" ".join("".join(letters[draw.integers(0, 26, 6)]) for _ in range(words)) for _ in range(rows)]


def chinese(rows: int, *, seed: int = 0, length: int = 24) -> list[str]:
    draw = np.random.default_rng(seed)
    return ["".join(chr(code) for code in draw.integers(0x4E00, 0x9FA5, length)) for _ in range(rows)]


@dataclass(frozen=True)
class Pictures:
    """Pictures put into a blob store."""

    blobs: Path

    def put(self, picture: Image.Image, kind: str = "PNG", **options) -> str:
        buffer = io.BytesIO()
        picture.save(buffer, format=kind, **options)
        sha256 = hashlib.sha256(buffer.getvalue()).hexdigest()
        BlobStore(self.blobs).put(sha256, buffer.getvalue())
        return sha256


def scene(seed: int, *, side: int = 96) -> Image.Image:
    """A picture of random blots, unlike that of any other seed."""
    draw = np.random.default_rng(seed)
    coarse = Image.fromarray(draw.integers(0, 256, (6, 6, 3), np.uint8))
    return coarse.resize((side, side), Image.Resampling.BICUBIC)
