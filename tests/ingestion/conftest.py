"""What the ingestion tests share: tiny pictures, and one call that takes a snapshot of tiny sources."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from ingestion.snapshots import SnapshotReport, take_snapshot
from ingestion.sources import TableSource

FRACTIONS = {"validation": 0.1, "test": 0.2}


@pytest.fixture
def picture() -> Callable[..., bytes]:
    def make(colour: str = "red", *, size: tuple[int, int] = (16, 16), kind: str = "PNG") -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", size, colour).save(buffer, format=kind)
        return buffer.getvalue()

    return make


@pytest.fixture
def ingest(tmp_path: Path) -> Callable[..., SnapshotReport]:
    def take(*tables: TableSource, max_share: float = 1.0, seed: int = 7, rare_labels=None) -> SnapshotReport:
        return take_snapshot(
            scenario="toy",
            tables=tables,
            store=tmp_path / "snapshots",
            blobs=tmp_path / "blobs",
            max_share=max_share,
            fractions=FRACTIONS,
            seed=seed,
            rare_labels=rare_labels or {},
        )

    return take
