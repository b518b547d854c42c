from pathlib import Path

import pytest

from flows.settings import apply, environment

HOME = Path("/state")


def test_everything_lies_under_the_home_and_nobody_is_told() -> None:
    found = environment(HOME, {})
    assert found["PREFECT_HOME"] == "/state/prefect"
    assert found["MLFLOW_TRACKING_URI"] == "sqlite:////state/mlflow.db"
    assert found["PREFECT_RESULTS_DEFAULT_SERIALIZER"] == "json"
    assert found["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert found["DO_NOT_TRACK"] == found["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert int(found["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"]) > 60


def test_what_the_user_gave_keeps_its_meaning() -> None:
    found = environment(HOME, {"MLFLOW_TRACKING_URI": "http://mlflow:5000", "PREFECT_HOME": "/mine"})
    assert found["MLFLOW_TRACKING_URI"] == "http://mlflow:5000"
    assert found["PREFECT_HOME"] == "/mine"


def test_an_empty_variable_counts_as_not_given() -> None:
    assert environment(HOME, {"MLFLOW_TRACKING_URI": ""})["MLFLOW_TRACKING_URI"] == "sqlite:////state/mlflow.db"


def test_a_proxy_is_kept_away_from_our_own_servers() -> None:
    assert "NO_PROXY" not in environment(HOME, {})
    found = environment(HOME, {"HTTP_PROXY": "http://proxy:1", "NO_PROXY": "example.org,localhost"})
    assert found["NO_PROXY"] == found["no_proxy"] == "example.org,localhost,127.0.0.1"


def test_apply_completes_the_environment_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment(tmp_path, {}):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(tmp_path, {}).items():
            patch.setenv(name, value)
        assert apply() == {}
