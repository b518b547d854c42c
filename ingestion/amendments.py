"""What people changed beside the sources, as one hash: repaired rows and forgotten keys."""

from pathlib import Path

from ingestion.forgotten import LEDGER
from ingestion.replayed import FOLDER
from polyloom.durable import file_digest, json_digest


def amendments_digest(scenario_folder: Path) -> str:
    """A hash that stays the same as long as an unchanged source would be ingested the same."""
    paths = [scenario_folder / LEDGER, *sorted((scenario_folder / FOLDER).glob("*/*.jsonl"))]
    return json_digest([[path.parent.name, path.name, file_digest(path)] for path in paths if path.exists()])
