"""Decisions at the command line, over two tiny real releases."""

import pytest

from polyloom.durable import read_json, write_json
from releases.challenge import ask_a_person, begin_judging
from releases.mlflow_store import SQLITE
from releases.registry import Registry
from tests.support.command_line import inside
from tests.support.small_bundle import make_small_bundle, release_small_bundle

VERDICT = {"challenger_value": 0.9, "champion_value": 0.8, "difference": 0.1, "rows": 96}


@pytest.fixture
def home(tmp_path):
    """Version 1 of `shop` is champion, and version 2 is registered."""
    folder = tmp_path / "home"
    release_small_bundle(folder)
    draft = folder / "releases" / "shop" / "draft"
    digest = make_small_bundle(draft, name="support", blobs=folder / "blobs")
    registry = Registry(f"{SQLITE}{folder / 'mlflow.db'}", folder / "ledger")
    registry.register("shop", draft.rename(draft.with_name(digest)), digest, None, {})
    return folder


@pytest.fixture
def polyloom(home):
    return lambda *words: inside(*words, environment={"POLYLOOM_HOME": str(home)})


@pytest.fixture
def waiting(home):
    """Version 2 waits for a person."""
    registry = Registry(f"{SQLITE}{home / 'mlflow.db'}", home / "ledger")
    begin_judging(registry, "shop", "2", against="1")
    ask_a_person(registry, "shop", "2", against="1", why="better", hours=1, verdict=VERDICT)


def aliases(polyloom):
    return {row["version"]: row["aliases"] for row in polyloom("releases", "shop", "--json").json}


def test_a_release_that_waits_is_approved(polyloom, waiting):
    assert aliases(polyloom) == {"2": "candidate, challenger", "1": "champion"}
    ended = polyloom("approve", "shop", "2", "--by", "Eve", "--why", "I looked")
    assert ended.code == 0, ended.said
    assert "shop/2 is champion; before it was 1. Back: polyloom rollback shop" in ended.said
    assert aliases(polyloom) == {"2": "champion", "1": "previous"}
    last = polyloom("history", "shop", "--json").json[-1]
    assert (last["action"], last["who"], last["why"], last["against"]) == ("approve", "Eve", "I looked", "1")
    actions = [row["action"] for row in polyloom("history", "shop", "--steps", "--json").json]
    assert actions == ["register", "promote", "register", "judge", "wait", "approve"]


def test_a_release_that_waits_is_refused(polyloom, waiting):
    ended = polyloom("refuse", "shop", "2", "--by", "Eve", "--why", "too bold")
    assert ended.code == 0, ended.said
    assert "shop/2 is refused; version 1 stays champion." in ended.said
    assert aliases(polyloom) == {"2": "candidate", "1": "champion"}
    again = polyloom("approve", "shop", "2", "--by", "Eve", "--why", "after all")
    assert (again.code, "no version waits for approval" in again.said) == (2, True)


@pytest.mark.parametrize("command", ["approve", "refuse"])
def test_a_decision_needs_a_name_and_a_reason(polyloom, command):
    assert "Missing option '--by'" in polyloom(command, "shop", "2", "--why", "x").said
    assert "Missing option '--why'" in polyloom(command, "shop", "2", "--by", "x").said


def test_a_release_is_deleted_at_the_command_line(polyloom, home):
    ended = polyloom("releases", "shop", "--delete", "1")
    assert (ended.code, "version 1 is champion and cannot be deleted" in ended.said) == (2, True)
    assert len(list((home / "models").glob("*/*"))) == 2
    facts = polyloom("releases", "shop", "--delete", "2", "--json").json
    assert len(list((home / "models").glob("*/*"))) == 1
    assert (facts["version"], len(list((home / "releases" / "shop").iterdir()))) == ("2", 1)
    assert aliases(polyloom) == {"1": "champion"}


def test_who_was_champion_is_asked_of_the_ledger_alone(polyloom, home):
    (home / "mlflow.db").unlink()
    (row,) = polyloom("history", "shop", "--at", "2099-01-01T00:00:00+0000", "--json").json
    assert (row["version"], row["action"]) == ("1", "promote")
    assert "nobody was champion at 2001-01-01" in polyloom("history", "shop", "--at", "2001-01-01").said
    assert not (home / "mlflow.db").exists()


def test_history_verifies_ledger_and_registry(polyloom, home):
    assert "Every alias stands where the ledger says." in polyloom("history", "shop", "--verify").said
    registry = Registry(f"{SQLITE}{home / 'mlflow.db'}", home / "ledger")
    registry.client.set_registered_model_alias("shop", "champion", "2")
    ended = polyloom("history", "shop", "--verify")
    assert ended.code == 1
    assert "champion: the ledger says 1, the registry 2. Something outside polyloom moved the champion." in ended.said
    assert polyloom("promote", "shop", "1").code == 0
    facts = polyloom("history", "shop", "--verify", "--json").json
    assert (facts["disagreements"], facts["lines"]) == ([], 8)
    ledger = home / "ledger" / "shop.jsonl"
    ledger.write_bytes(ledger.read_bytes().replace(b"first release", b"first triumph"))
    broken = polyloom("history", "shop", "--verify")
    assert (broken.code, "line 3 of 8 is not what was written" in broken.said) == (1, True)


def test_a_webhook_that_cannot_be_reached_stops_no_rollback(polyloom, home, waiting):
    for bundle in (home / "releases" / "shop").iterdir():
        facts = read_json(bundle / "scenario.json")
        write_json(bundle / "scenario.json", {**facts, "monitor": {"notify": {"webhook": "${NOBODY}"}}})
    polyloom("approve", "shop", "2", "--by", "Eve", "--why", "I looked")
    ended = polyloom("rollback", "shop")
    assert ended.code == 0, ended.said
    assert "shop/1 is champion again" in ended.out
    assert "nobody was told, the environment variable NOBODY holds no http address" in ended.err
