"""What the tests of the checks on data share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion.examination.examine import examine
from ingestion.examination.findings import Finding
from tests.ingestion.examination.toys import Pictures, ToySnapshot


@pytest.fixture
def found(tmp_path: Path) -> Callable[..., dict[str, Finding]]:
    """The findings on a toy table, by code; of several the most serious one."""

    def run(snapshot: ToySnapshot, *targets: str, blobs: Path | None = None, **options) -> dict[str, Finding]:
        findings = examine(snapshot, targets={"items": targets}, blobs=blobs or tmp_path, **options)
        named: dict[str, Finding] = {}
        for finding in findings:
            named.setdefault(finding.code, finding)
        return named

    return run


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures(tmp_path / "blobs")
