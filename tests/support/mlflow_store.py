"""A fresh MLflow database for a test: made once a session, copied for each test that asks."""

import shutil
from pathlib import Path

import pytest

from releases.mlflow_store import SQLITE, connect
from tests.support.shared import shared_folder


@pytest.fixture
def mlflow_uri(tmp_path_factory, tmp_path):
    """The URI of an empty MLflow database under `tmp_path`."""
    return copy_store(template(tmp_path_factory), tmp_path / "mlflow.db")


def template(tmp_path_factory) -> Path:
    """An MLflow database without content, made by the first test that asks; not to be written to."""
    path = shared_folder(tmp_path_factory) / "mlflow_template.db"
    if not path.exists():
        connect(f"{SQLITE}{path}")
    return path


def copy_store(source: Path, target: Path) -> str:
    """The URI of a copy."""
    shutil.copyfile(source, target)
    return f"{SQLITE}{target}"
