"""A release is deleted only when nothing needs it, and its files only with the last one that has them."""

import pytest

from polyloom.errors import RequestError
from releases.challenge import ask_a_person
from releases.deletion import delete
from releases.promotion import begin
from releases.registry import Registry

WHO = {"who": "ann", "why": "old"}


@pytest.fixture
def bundles(tmp_path):
    folders = [tmp_path / "releases" / "shop" / (letter * 64) for letter in "abcd"]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
    return folders


@pytest.fixture
def registry(mlflow_uri, tmp_path, bundles):
    """Version 2 is champion, 1 previous, 3 waits, 4 is candidate."""
    store = Registry(mlflow_uri, tmp_path / "ledger")
    for bundle in bundles:
        store.register("shop", bundle, bundle.name, None, {})
    store.promote("shop", "1", expected=None, **WHO)
    store.promote("shop", "2", expected="1", **WHO)
    ask_a_person(store, "shop", "3", against="2", why="better", hours=1, verdict={})
    return store


def test_a_deleted_release_is_gone_with_its_files_and_the_ledger_says_so(registry, bundles):
    assert delete(registry, "shop", "4", **WHO) == bundles[3]
    assert not bundles[3].exists()
    assert [release.version for release in registry.versions("shop")] == ["3", "2", "1"]
    assert "candidate" not in registry.aliases("shop").all()
    last = registry.history("shop")[-1]
    assert (last.action, last.version, last.digest, last.why, last.outcome) == ("delete", "4", "d" * 64, "old", "done")
    registry.ledger("shop").verify()
    with pytest.raises(RequestError, match=r"no version '4'; there are 1, 2, 3"):
        delete(registry, "shop", "4", **WHO)


@pytest.mark.parametrize("sure", [False, True])
@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("2", r"version 2 is champion and cannot be deleted.*`polyloom rollback shop`"),
        ("3", r"version 3 waits for a person's approval. Decide first: `polyloom refuse shop 3"),
    ],
)
def test_what_answers_or_waits_is_never_deleted(registry, bundles, version, message, sure):
    with pytest.raises(RequestError, match=message):
        delete(registry, "shop", version, **WHO, sure=sure)
    assert all(bundle.is_dir() for bundle in bundles)


def test_previous_and_names_of_ones_own_need_a_yes(registry):
    registry.promote("shop", "4", expected=None, alias="shadow", **WHO)
    with pytest.raises(RequestError, match=r"version 1 is what a rollback would go back to. `--yes` deletes it"):
        delete(registry, "shop", "1", **WHO)
    with pytest.raises(RequestError, match=r"version 4 is shadow, and whoever asks for that name would find nothing"):
        delete(registry, "shop", "4", **WHO)
    delete(registry, "shop", "1", **WHO, sure=True)
    delete(registry, "shop", "4", **WHO, sure=True)
    assert registry.aliases("shop").all() == {"challenger": "3", "champion": "2"}


def test_files_that_another_release_has_stay(registry, bundles):
    registry.register("stall", bundles[3], bundles[3].name, None, {})
    assert delete(registry, "shop", "4", **WHO) is None
    assert bundles[3].is_dir()
    assert delete(registry, "stall", "1", **WHO) == bundles[3]


def test_a_folder_that_polyloom_did_not_make_stays(registry, tmp_path):
    registry.register("shop", tmp_path, "e" * 64, None, {})
    assert delete(registry, "shop", "5", **WHO) is None
    assert tmp_path.is_dir()


def test_a_deletion_that_was_killed_is_completed_or_has_not_begun(registry, bundles):
    facts = {"action": "delete", "alias": "", "version": "4", "digest": "d" * 64, "against": None, **WHO}
    begin(registry.ledger("shop"), **facts, more={"path": str(bundles[3])})
    assert registry.history("shop")[-1].outcome == "abandoned"
    begin(registry.ledger("shop"), **facts, more={"path": str(bundles[3])})
    registry.client.delete_model_version("shop", "4")
    assert registry.history("shop")[-1].outcome == "done"
    assert not bundles[3].exists()
