"""When a run would give again what is there: only then does it do nothing."""

import os

import pytest

from flows.scenario_file import load_scenario
from flows.templates import write_scenario
from flows.unchanged import champion_version, deciding, recall, remember, request_digest, unchanged_result
from tests.support.mlflow_store import copy_store, template
from tests.support.small_bundle import release_small_bundle


@pytest.fixture
def scenario(tmp_path):
    return write_scenario("demo", folder=tmp_path)


def digest(path, *overrides):
    return request_digest(load_scenario(str(path), overrides=overrides))


def test_the_same_request_has_the_same_digest(scenario):
    assert digest(scenario) == digest(scenario)
    os.utime(scenario.with_suffix(".csv"), (1, 1))
    assert digest(scenario) == digest(scenario)


def test_comments_and_the_schedule_decide_nothing(scenario):
    before = digest(scenario)
    scenario.write_text(scenario.read_text() + "\n# a remark\nmonitor: {schedule: '0 3 * * *'}\n")
    assert digest(scenario) == before
    assert "monitor" not in deciding(load_scenario(str(scenario)))


@pytest.mark.parametrize("override", ["recipe.seed=8", "recipe.epochs=3", "gate.rule=better", "title=Other"])
def test_whatever_decides_the_result_changes_the_digest(scenario, override):
    assert digest(scenario, override) != digest(scenario)


def test_one_changed_row_changes_the_digest(scenario):
    before = digest(scenario)
    rows = scenario.with_suffix(".csv")
    rows.write_text(rows.read_text().replace("lamp", "lump", 1))
    assert digest(scenario) != before


@pytest.fixture
def released(polyloom_home, tmp_path_factory):
    """A champion that a request of the digest `asked` gave."""
    polyloom_home.mkdir()
    copy_store(template(tmp_path_factory), polyloom_home / "mlflow.db")
    release = release_small_bundle(polyloom_home)
    facts = {"name": "shop", "version": release.version, "digest": release.digest}
    remember("shop", "asked", {"status": "released", "release": facts, "bundle": str(release.path)})
    return release


def test_a_result_is_recalled_while_its_release_is_champion_and_whole(released):
    assert champion_version("shop") == released.version
    assert recall("shop", "asked")["status"] == "unchanged"
    assert recall("shop", "asked else") is None
    assert recall("support", "asked") is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.unchanged.champion_version", lambda _: "99")
        assert recall("shop", "asked") is None


def test_a_later_request_hides_no_earlier_one(released):
    facts = {"name": "shop", "version": "2", "digest": "0" * 64}
    remember("shop", "refused", {"status": "refused", "release": facts, "bundle": "nowhere"})
    assert recall("shop", "refused") is None
    assert recall("shop", "asked")["release"]["version"] == released.version


def test_a_damaged_bundle_is_made_again(released):
    path = released.path / "index" / "segments" / "s1" / "rows.arrow"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"x")
    assert recall("shop", "asked") is None


def test_a_scenario_without_a_champion_has_none(polyloom_home):
    assert champion_version("nothing") is None


def test_the_last_result_is_found_by_path(scenario, released, polyloom_home):
    assert unchanged_result(str(scenario)) is None
    facts = {"name": "demo", "version": "1", "digest": released.digest}
    remember("demo", digest(scenario), {"release": facts, "bundle": str(released.path)})
    assert unchanged_result(str(scenario)) is None
    ledger = polyloom_home / "ledger"
    (ledger / "demo.jsonl").write_bytes((ledger / "shop.jsonl").read_bytes())
    assert unchanged_result(str(scenario))["status"] == "unchanged"
