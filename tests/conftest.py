"""For the whole suite: no network beyond this machine, an empty state folder for each test, real servers shared."""

import os
import runpy
from pathlib import Path

import pytest

NO_NETWORK = Path(__file__).parent / "support" / "no_network"
# Child processes find it as their sitecustomize; this process has started already.
runpy.run_path(str(NO_NETWORK / "sitecustomize.py"))
os.environ["PYTHONPATH"] = os.pathsep.join([str(NO_NETWORK), *filter(None, [os.environ.get("PYTHONPATH")])])
os.environ["HF_HUB_OFFLINE"] = "1"
# A worker process for each core: more threads would only wait for each other, and spin while they do.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

pytest_plugins = ["tests.support.mlflow_store", "tests.support.prefect_server"]


@pytest.fixture(autouse=True)
def polyloom_home(tmp_path, monkeypatch):
    """An empty state folder."""
    folder = tmp_path / "polyloom_home"
    monkeypatch.setenv("POLYLOOM_HOME", str(folder))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    return folder


def pytest_collection_modifyitems(items):
    """Files with slow tests first, so that no worker is left alone with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
