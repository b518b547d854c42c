"""What was moved outside polyloom is found, and the cure that is told works."""

import pytest

from polyloom.errors import IntegrityError
from releases.agreement import agreement
from releases.registry import Registry

WHO = {"who": "ann", "why": "better"}


@pytest.fixture
def registry(mlflow_uri, tmp_path):
    store = Registry(mlflow_uri, tmp_path / "ledger")
    for letter in "abc":
        folder = tmp_path / (letter * 64)
        folder.mkdir()
        store.register("shop", folder, folder.name, None, {})
    store.promote("shop", "1", expected=None, **WHO)
    store.promote("shop", "2", expected="1", **WHO)
    return store


def test_what_agrees(registry):
    found = agreement(registry, "shop")
    assert (found.lines, found.disagreements) == (10, ())


def test_a_champion_that_was_moved_outside_is_told_and_can_be_put_back(registry):
    registry.client.set_registered_model_alias("shop", "champion", "3")
    (found,) = agreement(registry, "shop").disagreements
    assert (found.alias, found.ledger, found.registry) == ("champion", "2", "3")
    assert "`polyloom promote shop 2` puts it back; `polyloom promote shop 3` lets it stand" in found.cure
    registry.promote("shop", "2", expected="3", **WHO)
    assert agreement(registry, "shop").disagreements == ()


def test_a_champion_that_was_moved_outside_can_be_left_there(registry):
    registry.client.set_registered_model_alias("shop", "champion", "3")
    registry.promote("shop", "3", expected="3", **WHO)
    assert agreement(registry, "shop").disagreements == ()
    assert registry.aliases("shop").read("previous") == "2"


def test_an_alias_of_the_registrys_own_is_set_right_by_the_next_change(registry):
    registry.client.set_registered_model_alias("shop", "previous", "3")
    (found,) = agreement(registry, "shop").disagreements
    assert "next run, promotion or rollback of shop sets it right" in found.cure
    assert registry.rollback("shop", "bob", "wrong prices").version == "1"
    assert agreement(registry, "shop").disagreements == ()


def test_another_alias_is_told_too(registry):
    registry.promote("shop", "3", expected=None, alias="shadow", **WHO)
    registry.client.delete_registered_model_alias("shop", "shadow")
    (found,) = agreement(registry, "shop").disagreements
    assert "outside polyloom moved 'shadow'; promote to it again" in found.cure


def test_a_broken_ledger_is_named(registry):
    path = registry.ledger("shop").path
    path.write_bytes(path.read_bytes().replace(b"better", b"bitter", 1))
    with pytest.raises(IntegrityError, match="line 7 of 10 is not what was written"):
        agreement(registry, "shop")
