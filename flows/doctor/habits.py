"""Checks of the environment that a run would see: stores, telemetry, serializers, shadowed modules."""

from collections.abc import Mapping
from pathlib import Path

from flows.doctor.finding import Finding

JSON_SERIALIZERS = ("json", "compressed/json")
SHORTEST_STARTUP_SECONDS = 60
OFF = ("false", "0", "no", "off")
ON = ("true", "1", "yes")
IMPORTED = ("prefect", "mlflow", "torch", "streamlit", "flows", "ui", "releases", "training", "retrieval", "ingestion")


def mlflow_store(uri: str) -> Finding:
    """MLflow refuses a folder of files as its store."""
    ok = uri.startswith(("sqlite:", "http://", "https://", "postgresql", "mysql", "mssql", "databricks"))
    cure = "MLflow refuses its old file store: unset MLFLOW_TRACKING_URI, or set it to sqlite:////path/to/mlflow.db"
    return Finding("mlflow store", ok, uri, "" if ok else cure)


def mlflow_run(environment: Mapping[str, str]) -> Finding:
    """A run id in the environment would make every training run write into that one run."""
    given = environment.get("MLFLOW_RUN_ID")
    if given:
        return Finding("mlflow run", ok=False, found=f"MLFLOW_RUN_ID is {given}", cure="unset MLFLOW_RUN_ID")
    return Finding("mlflow run", ok=True, found="no run is forced upon us")


def telemetry(environment: Mapping[str, str]) -> Finding:
    """Neither Prefect nor MLflow reports to anybody."""
    telling = []
    if environment.get("MLFLOW_DISABLE_TELEMETRY", "").lower() not in ("true", "1"):
        telling.append("MLFLOW_DISABLE_TELEMETRY=true")
    if environment.get("DO_NOT_TRACK", "").lower() not in ON:
        telling.append("DO_NOT_TRACK=true")
    if environment.get("PREFECT_SERVER_ANALYTICS_ENABLED", "").lower() not in OFF:
        telling.append("PREFECT_SERVER_ANALYTICS_ENABLED=false")
    if telling:
        return Finding("telemetry", ok=False, found="it is on", cure=f"set {' '.join(telling)}")
    return Finding("telemetry", ok=True, found="off")


def result_serializer(environment: Mapping[str, str]) -> Finding:
    """Prefect would pickle results unless told not to."""
    found = environment.get("PREFECT_RESULTS_DEFAULT_SERIALIZER") or "pickle"
    ok = found in JSON_SERIALIZERS
    return Finding("result serializer", ok, found, "" if ok else "set PREFECT_RESULTS_DEFAULT_SERIALIZER=json")


def startup_timeout(environment: Mapping[str, str], *, fresh: bool) -> Finding:
    """A fresh Prefect profile needs more than the default 20 seconds for its first start."""
    given = environment.get("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS") or "20"
    ok = given.isdigit() and int(given) >= SHORTEST_STARTUP_SECONDS
    found = f"{given} s, {'fresh profile' if fresh else 'profile in use'}"
    cure = "set PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS=180: a first start takes over 20 s"
    return Finding("prefect start-up time", ok, found, "" if ok else cure)


def shadowed_modules(folder: Path) -> Finding:
    """A file or package in the current folder that is named like one that we import."""
    names = [name for name in IMPORTED if _importable(folder, name) and not (folder / "pyproject.toml").exists()]
    if names:
        found = ", ".join(str(folder / name) for name in names)
        return Finding("shadowed modules", ok=False, found=found, cure="rename them, or run from another folder")
    return Finding("shadowed modules", ok=True, found=f"none in {folder}")


def _importable(folder: Path, name: str) -> bool:
    return (folder / f"{name}.py").exists() or (folder / name / "__init__.py").exists()
