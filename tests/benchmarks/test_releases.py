"""The benchmark of releases with a few pairs and kills: as a user starts it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_few_pairs_and_kills_leave_one_champion():
    command = [sys.executable, "-m", "benchmarks.releases", "--part", "promotion", "--pairs", "5", "--kills", "5"]
    command.append("--json")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    figures = {one["name"]: one for one in json.loads(ended.stdout)["figures"]}
    assert figures["pairs of promotions with exactly one winner"]["value"] == 5
    assert figures["kills that left the old or the new champion, as the ledger says"]["value"] == 5
    assert figures["aliases elsewhere than the ledger says"]["value"] == 0
    assert len(figures) == 8
