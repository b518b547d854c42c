import shutil

import pytest
import streamlit as st

from flows.journal import Journal, journal_path
from releases.mlflow_store import SQLITE
from releases.registry import Registry
from tests.support.small_bundle import release_small_bundle


def write_journals(home):
    """A run that is done, and one that failed."""
    with Journal(journal_path(home, "shop", "run-done")) as journal:
        with journal.stage("embed items", total=640, unit="rows") as bar:
            bar.advance(640)
        with journal.stage("fit", total=3, unit="epochs") as bar:
            for epoch in (1, 2, 3):
                bar.advance()
                journal.metrics({"epoch": epoch, "category.macro_f1": 0.7 + epoch / 20})
        journal.log("产品已发布")
    with pytest.raises(ValueError, match="line 12"), Journal(journal_path(home, "support", "run-failed")):
        raise ValueError("questions.jsonl: line 12 is not JSON.")


@pytest.fixture(scope="session")
def released_home(tmp_path_factory):
    """A state folder with two champions and two runs."""
    home = tmp_path_factory.mktemp("page") / "home"
    for name in ("shop", "support"):
        release_small_bundle(home, name=name)
    write_journals(home)
    return home


@pytest.fixture
def own_home(released_home, tmp_path):
    """A copy of that state folder, to break or to go on with; its registry points into the copy."""
    copy = shutil.copytree(released_home, tmp_path / "home")
    registry = Registry(f"{SQLITE}{copy / 'mlflow.db'}", copy / "ledger")
    for name in ("shop", "support"):
        release = registry.versions(name)[0]
        registry.register(name, copy / "releases" / name / release.digest, release.digest, None, {})
    return copy


@pytest.fixture
def at_home(monkeypatch):
    """Point this process's page at a state folder."""

    def point(home):
        for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("POLYLOOM_HOME", str(home))
        st.cache_resource.clear()

    yield point
    st.cache_resource.clear()
