"""What happens to a version between registration and promotion, and that aliases tell it truly at every step."""

import pytest

from polyloom.errors import RegistryError, RequestError
from releases.challenge import approve, ask_a_person, begin_judging, refuse, turn_down
from releases.promotion import begin
from releases.registry import Registry

WHO = {"who": "ann", "why": "better"}
VERDICT = {"metric": "tone.accuracy", "challenger_value": 0.9}


@pytest.fixture
def registry(mlflow_uri, tmp_path):
    """Three releases, the first of them champion."""
    store = Registry(mlflow_uri, tmp_path / "ledger")
    for letter in "abc":
        folder = tmp_path / "releases" / "shop" / (letter * 64)
        folder.mkdir(parents=True)
        store.register("shop", folder, folder.name, None, {})
    store.promote("shop", "1", expected=None, **WHO)
    return store


def aliases(registry):
    return registry.aliases("shop").all()


def waits(registry, version, *, against="1", hours=72.0):
    begin_judging(registry, "shop", version, against=against)
    return ask_a_person(registry, "shop", version, against=against, why="gate: better", hours=hours, verdict=VERDICT)


def test_aliases_are_true_at_every_step(registry):
    assert aliases(registry) == {"candidate": "3", "champion": "1"}
    begin_judging(registry, "shop", "3", against="1")
    assert aliases(registry) == {"candidate": "3", "challenger": "3", "champion": "1"}
    turn_down(registry, "shop", "3", against="1", why="worse")
    assert aliases(registry) == {"candidate": "3", "champion": "1"}
    begin_judging(registry, "shop", "3", against="1")
    registry.promote("shop", "3", expected="1", **WHO, action="gate")
    assert aliases(registry) == {"champion": "3", "previous": "1"}
    release = registry.resolve("shop")
    registry.register("shop", release.path, release.digest, None, {})
    assert aliases(registry) == {"champion": "3", "previous": "1"}
    registry.rollback("shop", "bob", "wrong prices")
    assert aliases(registry) == {"champion": "1", "previous": "3"}
    assert [change.action for change in registry.history("shop", steps=True)][3:] == [
        "promote", "judge", "dismiss", "judge", "gate", "rollback",
    ]  # fmt: skip
    assert [change.action for change in registry.history("shop")] == ["promote", "gate", "rollback"]


def test_what_a_person_approved_is_champion_and_the_ledger_says_who_and_why(registry):
    change = waits(registry, "3")
    assert change.more["verdict"] == VERDICT
    assert registry.waiting("shop") == change
    assert aliases(registry) == {"candidate": "3", "challenger": "3", "champion": "1"}
    assert approve(registry, "shop", "3", who="Eve", why="I read the mistakes").aliases == ("champion",)
    last = registry.history("shop")[-1]
    assert (last.action, last.who, last.why, last.against) == ("approve", "Eve", "I read the mistakes", "1")
    assert registry.waiting("shop") is None
    # An approval is no complaint about the champion before: a run may promote that one again.
    assert registry.withdrawn("shop", "1") is None


def test_what_a_person_refused_waits_no_more(registry):
    waits(registry, "3")
    assert refuse(registry, "shop", "3", who="Eve", why="too bold").version == "3"
    assert aliases(registry) == {"candidate": "3", "champion": "1"}
    assert (registry.waiting("shop"), registry.history("shop")[-1].why) == (None, "too bold")
    with pytest.raises(RequestError, match=r"no version waits for approval.*polyloom promote shop 3"):
        approve(registry, "shop", "3", **WHO)


def test_only_what_waits_can_be_decided(registry):
    waits(registry, "3")
    for decide in (approve, refuse):
        with pytest.raises(RequestError, match=r"version 2 does not wait for approval; version 3 does"):
            decide(registry, "shop", "2", **WHO)


def test_an_approval_counts_only_against_the_champion_that_was_judged(registry):
    waits(registry, "3")
    registry.promote("shop", "2", expected="1", **WHO)
    with pytest.raises(RegistryError, match=r"judged against version 1, but champion is now version 2.*polyloom run"):
        approve(registry, "shop", "3", **WHO)
    assert registry.resolve("shop").version == "2"
    with pytest.raises(RegistryError, match=r"judged against version 1, but champion is now version 2"):
        ask_a_person(registry, "shop", "3", against="1", why="", hours=1, verdict={})


def test_an_approval_after_its_time_is_refused(registry):
    waits(registry, "3", hours=1e-9)
    with pytest.raises(RegistryError, match=r"could be approved until .*polyloom run shop"):
        approve(registry, "shop", "3", **WHO)


def test_while_another_one_is_judged_the_one_that_waits_goes_on_waiting(registry):
    waits(registry, "2")
    begin_judging(registry, "shop", "3", against="1")
    assert aliases(registry)["challenger"] == "3"
    turn_down(registry, "shop", "3", against="1", why="worse")
    assert aliases(registry)["challenger"] == registry.waiting("shop").version == "2"
    waits(registry, "3")
    assert aliases(registry)["challenger"] == registry.waiting("shop").version == "3"


def test_a_step_that_was_killed_is_completed(registry):
    facts = {"version": "3", "digest": "c" * 64, "against": "1", **WHO}
    begin(registry.ledger("shop"), action="judge", alias="challenger", **facts)
    assert "challenger" not in aliases(registry)
    registry.history("shop")
    assert aliases(registry)["challenger"] == "3"
