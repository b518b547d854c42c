"""What Prefect and MLflow must find in the environment before they are imported."""

import os
from collections.abc import Mapping
from pathlib import Path

from polyloom.home import home

LOOPBACK = "127.0.0.1,localhost"
STARTUP_TIMEOUT_SECONDS = 180
PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


def apply() -> dict[str, str]:
    """Complete this process's environment, which its child processes inherit; returns what was set."""
    missing = {name: value for name, value in environment(home(), os.environ).items() if os.environ.get(name) != value}
    os.environ.update(missing)
    return missing


def environment(home: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Every variable that polyloom needs, for the state folder `home`; what `given` holds keeps its value."""
    wanted = {**_places(home), **_privacy(), **_habits(), **_quiet(), **_threads()}
    chosen = {name: given.get(name) or value for name, value in wanted.items()}
    return {**chosen, "POLYLOOM_HOME": str(home), **_proxy_exception(given)}


def _places(home: Path) -> dict[str, str]:
    return {
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_UI_STATIC_DIRECTORY": str(home / "prefect" / "ui"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}",
    }


def _privacy() -> dict[str, str]:
    # "true" is the one spelling that both libraries understand: MLflow ignores "1".
    return {"DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


def _habits() -> dict[str, str]:
    return {
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(STARTUP_TIMEOUT_SECONDS),
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def _quiet() -> dict[str, str]:
    # Only the console is hushed: the server still keeps a run's INFO lines for the page.
    return {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING", "MLFLOW_LOGGING_LEVEL": "WARNING"}


def _threads() -> dict[str, str]:
    # Threads that spin while they wait make a fit four times slower as soon as anything else uses the machine.
    return {"OMP_WAIT_POLICY": "PASSIVE"}


def _proxy_exception(given: Mapping[str, str]) -> dict[str, str]:
    """Keep a proxy out of the way to our own servers."""
    if not any(given.get(name) for name in PROXIES):
        return {}
    spared = given.get("NO_PROXY") or given.get("no_proxy") or ""
    missing = [host for host in LOOPBACK.split(",") if host not in spared.split(",")]
    both = ",".join([*([spared] if spared else []), *missing])
    return {"NO_PROXY": both, "no_proxy": both}
