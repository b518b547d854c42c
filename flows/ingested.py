"""Whether an ingestion would give again what is there already, and what the last one gave."""

from pathlib import Path
from typing import Any

from flows.assembly import rare_labels, table_sources
from flows.scenario_file import LoadedData
from ingestion.amendments import amendments_digest
from ingestion.fingerprint import source_fingerprint
from ingestion.sources import TableSource
from polyloom.durable import json_digest, read_json, write_json
from polyloom.home import home
from polyloom.version import code_version

Result = dict[str, Any]


def scenario_folder(name: str) -> Path:
    """Where a scenario's snapshots lie."""
    return home() / "snapshots" / name


def ingestion_digest(loaded: LoadedData) -> str | None:
    """One hash over all that decides a snapshot; None where only reading a source tells whether it changed."""
    scenario = loaded.scenario
    sources = table_sources(scenario, beside=loaded.path.parent)
    if not all(map(is_here, sources)):
        return None
    return json_digest(
        {
            "data": scenario.model_dump(mode="json", include={"data", "splits", "quarantine"}),
            "labels": rare_labels(scenario),
            "sources": source_fingerprint(sources),
            "amendments": amendments_digest(scenario_folder(scenario.name)),
            "code": code_version(),
        }
    )


def is_here(source: TableSource) -> bool:
    """Whether a source lies in files of this machine."""
    return source.kind != "sql" and all("://" not in str(path) for path in source.paths.values())


def remember(name: str, digest: str | None, result: Result) -> None:
    """Note what an ingestion gave."""
    write_json(result_path(name), {"digest": digest, "result": result})


def recall(name: str, digest: str | None) -> Result | None:
    """What the last ingestion gave, if this one would give the same and its snapshot is current; else None."""
    path = result_path(name)
    pointer = scenario_folder(name) / "current.json"
    if digest is None or not path.is_file() or not pointer.is_file():
        return None
    noted = read_json(path)
    if noted["digest"] != digest or read_json(pointer)["id"] != noted["result"]["snapshot"]["id"]:
        return None
    if (scenario_folder(name) / "refused.parquet").exists():
        return None
    return {**noted["result"], "status": "unchanged", "seconds": {}}


def result_path(name: str) -> Path:
    """Where the last ingestion's result is noted."""
    return home() / "runs" / name / "results" / "ingestion.json"
