"""What the pages may call, and the rules of the folder."""

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from flows import settings
from flows.journal import Journal, journal_path
from polyloom.errors import IntegrityError, PolyloomError
from polyloom.home import home
from releases.mlflow_store import SQLITE
from releases.registry import Registry
from tests.support.small_bundle import make_small_bundle
from ui import service

UI = Path(service.__file__).parent
ALLOWED = {"streamlit", "ui", "html", "contextlib", "collections", "datetime", "itertools"}


def test_no_file_is_named_like_a_package_or_a_standard_module():
    taken = sys.stdlib_module_names | packages_distributions().keys()
    assert {path.stem for path in UI.rglob("*.py")} - {"__init__"} & taken == set()


@pytest.mark.parametrize("page", sorted((UI / "views").glob("*_page.py")), ids=lambda path: path.stem)
def test_a_page_knows_nothing_of_polyloom_but_the_service(page):
    tree = ast.walk(ast.parse(page.read_text(encoding="utf-8")))
    named = [node.module for node in tree if isinstance(node, ast.ImportFrom)]
    assert {module.partition(".")[0] for module in named} <= ALLOWED


def test_the_service_knows_nothing_of_streamlit():
    for name in ("service", "asking", "following"):
        assert "streamlit" not in (UI / f"{name}.py").read_text(encoding="utf-8")


def test_a_promotion_shows_up_at_once(own_home, at_home):
    at_home(own_home)
    assert service.champion("shop").version == "1"
    folder = own_home / "releases" / "shop" / "other"
    digest = make_small_bundle(folder, name="support", blobs=own_home / "blobs")
    registry = Registry(f"{SQLITE}{own_home / 'mlflow.db'}", own_home / "ledger")
    registry.register("shop", folder, digest, None, {})
    registry.promote("shop", "2", expected="1", who="ann", why="better")
    assert service.champion("shop").version == "2"
    assert [change.why for change in service.history("shop")] == ["better", "first release"]
    (folder / "card.md").write_text("changed", encoding="utf-8")
    with pytest.raises(IntegrityError, match=r"'card\.md' has another size"):
        service.open_release(service.champion("shop"))


def test_a_running_run_is_followed(tmp_path, at_home):
    at_home(tmp_path)
    with Journal(journal_path(home(), "shop", "r1")) as journal, journal.stage("fit", total=4, unit="epochs") as bar:
        bar.advance()
        journal.metrics({"loss": 1.0, "epoch": 1})
        journal.metrics({"loss": 0.5, "epoch": 2})
        run = service.find_run("shop", "r1")
        assert (run.state, run.stages[0].done, run.stages[0].total) == ("running", 1, 4)
    assert service.find_run("shop", "r1").state == "done"
    assert service.metric_series("shop", "r1") == {"loss": [1.0, 0.5]}


@pytest.mark.parametrize("name", ["..", "../shop", "a/b", "", ".hidden"])
def test_an_address_cannot_lead_out_of_the_journal(name, tmp_path, at_home):
    at_home(tmp_path)
    assert service.find_run(name, "r1") is None
    assert service.find_run("shop", name) is None


def test_without_a_server_a_run_cannot_be_submitted(tmp_path, at_home, monkeypatch):
    at_home(tmp_path)
    for name, value in settings.environment(tmp_path, {}).items():  # `submit_run` sets them; they must not outlive this
        monkeypatch.setenv(name, value)
    assert service.prefect_url() is None
    with pytest.raises(PolyloomError, match="no Prefect server runs here: 'polyloom up' starts one"):
        service.submit_run("shop")
