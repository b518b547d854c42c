import json
import os
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from polyloom.errors import IntegrityError, RegistryError, RequestError
from releases import promotion
from releases.changes import changes
from releases.promotion import change_alias
from releases.registry import Registry

WHO = {"who": "ann", "why": "better"}


@pytest.fixture
def registry(mlflow_uri, tmp_path):
    return Registry(mlflow_uri, tmp_path / "ledger")


@pytest.fixture
def bundles(tmp_path):
    """Folders that stand for sealed bundles; the registry never looks into them."""
    folders = [tmp_path / "releases" / "shop" / (letter * 64) for letter in "abc"]
    for folder in folders:
        folder.mkdir(parents=True)
    return folders


def register_all(registry, bundles, scenario="shop"):
    return [registry.register(scenario, bundle, bundle.name, None, {"polyloom.snapshot": "s1"}) for bundle in bundles]


def test_a_release_is_registered_by_reference(registry, bundles):
    tags = {"polyloom.snapshot": "s1", "polyloom.metrics": '{"intent": 0.9}'}
    assert registry.register("shop", bundles[0], "a" * 64, None, tags) == "1"
    release = registry.resolve("shop", "candidate")
    assert (release.version, release.digest, release.path) == ("1", "a" * 64, bundles[0])
    assert release.aliases == ("candidate",)
    assert release.tags["polyloom.metrics"] == '{"intent": 0.9}'
    assert abs(datetime.now(UTC) - release.created) < timedelta(minutes=1)
    assert release.run_id is None
    assert registry.client.get_model_version("shop", "1").source == bundles[0].as_uri()


def test_the_same_digest_again_is_the_same_version(registry, bundles):
    assert register_all(registry, [*bundles, *bundles]) == ["1", "2", "3"] * 2
    assert [release.version for release in registry.versions("shop")] == ["3", "2", "1"]
    assert registry.resolve("shop", "candidate").version == "3"


def test_a_release_whose_bundle_moved_is_found_at_its_new_place(registry, bundles, tmp_path):
    registry.register("shop", bundles[0], "a" * 64, None, {"polyloom.snapshot": "s1"})
    moved = bundles[0].rename(tmp_path / "a folder with a space")
    assert registry.register("shop", moved, "a" * 64, None, {"polyloom.snapshot": "s2"}) == "1"
    release = registry.resolve("shop", "1")
    assert (release.path, release.tags["polyloom.snapshot"]) == (moved, "s1")


def test_promote_moves_champion_and_previous(registry, bundles):
    register_all(registry, bundles)
    registry.promote("shop", "1", expected=None, **WHO)
    assert registry.promote("shop", "3", expected="1", **WHO).aliases == ("champion",)
    assert registry.resolve("shop").version == "3"
    assert registry.resolve("shop", "previous").version == "1"


def test_promote_against_another_champion_names_both_and_changes_nothing(registry, bundles):
    register_all(registry, bundles)
    registry.promote("shop", "1", expected=None, **WHO)
    registry.promote("shop", "2", expected="1", **WHO)
    with pytest.raises(RegistryError, match=r"version 3 was judged against version 1, but champion is now version 2"):
        registry.promote("shop", "3", expected="1", **WHO)
    with pytest.raises(
        RegistryError, match=r"judged against the absence of a champion, but .* version 2.*polyloom run"
    ):
        registry.promote("shop", "3", expected=None, **WHO)
    assert registry.resolve("shop").version == "2"
    assert [change.outcome for change in registry.history("shop")] == ["done", "done", "refused", "refused"]


def test_promoting_the_champion_again_does_nothing(registry, bundles):
    register_all(registry, bundles)
    registry.promote("shop", "1", expected=None, **WHO)
    assert registry.promote("shop", "1", expected=None, **WHO).version == "1"
    assert len(registry.history("shop")) == 1


def test_an_alias_of_ones_own_moves_without_previous(registry, bundles):
    register_all(registry, bundles)
    registry.promote("shop", "1", expected=None, alias="shadow", **WHO)
    registry.promote("shop", "2", expected="1", alias="shadow", **WHO)
    assert registry.resolve("shop", "shadow").version == "2"
    with pytest.raises(
        RequestError, match=r"there is no 'previous'; there is candidate .version 3., shadow .version 2."
    ):
        registry.resolve("shop", "previous")


@pytest.mark.parametrize("alias", ["candidate", "challenger", "previous"])
def test_aliases_that_the_registry_keeps_cannot_be_promoted_to(registry, alias):
    with pytest.raises(RequestError, match=rf"'{alias}' is kept by the registry itself. Promote to 'champion'"):
        registry.promote("shop", "1", expected=None, alias=alias, **WHO)


def test_rollback_goes_back_and_a_second_one_forth(registry, bundles):
    register_all(registry, bundles)
    registry.promote("shop", "1", expected=None, **WHO)
    registry.promote("shop", "2", expected="1", **WHO)
    assert registry.rollback("shop", "bob", "wrong prices").version == "1"
    assert registry.resolve("shop", "previous").version == "2"
    assert registry.rollback("shop", "bob", "it was the cache").version == "2"
    last = registry.history("shop")[-1]
    assert (last.action, last.who, last.why, last.against) == ("rollback", "bob", "it was the cache", "1")


def test_what_a_person_took_back_is_withdrawn_until_a_person_promotes_it(registry, bundles):
    register_all(registry, bundles)
    registry.promote("shop", "1", expected=None, **WHO, action="gate")
    registry.promote("shop", "2", expected="1", **WHO, action="gate")
    assert registry.withdrawn("shop", "1") is None
    registry.rollback("shop", "bob", "wrong prices")
    taken_back = registry.withdrawn("shop", "2")
    assert (taken_back.who, taken_back.why, taken_back.version) == ("bob", "wrong prices", "1")
    registry.promote("shop", "3", expected="1", **WHO, action="gate")
    assert registry.withdrawn("shop", "2") is not None
    registry.promote("shop", "2", expected="3", **WHO)
    assert [registry.withdrawn("shop", version) is None for version in "123"] == [True, True, False]


def test_rollback_without_a_champion_before(registry, bundles):
    register_all(registry, bundles)
    registry.promote("shop", "1", expected=None, **WHO)
    with pytest.raises(RegistryError, match=r"no release to go back to: candidate .version 3., champion .version 1."):
        registry.rollback("shop", "bob", "panic")


def test_history_answers_who_was_champion_at_a_time(registry, bundles):
    register_all(registry, bundles)
    before = datetime.now(UTC)
    registry.promote("shop", "1", expected=None, **WHO)
    between = datetime.now(UTC)
    registry.promote("shop", "2", expected="1", **WHO)
    assert registry.champion_at("shop", before) is None
    assert registry.champion_at("shop", between).version == "1"
    assert registry.champion_at("shop", between.astimezone().replace(tzinfo=None)).version == "1"
    assert registry.champion_at("shop", datetime.now(UTC)).version == "2"
    assert [change.version for change in registry.history("shop", between)] == ["1"]


def test_history_without_an_open_change_needs_no_mlflow(tmp_path):
    assert Registry("sqlite:////nowhere/mlflow.db", tmp_path).history("shop") == []


def test_the_module_and_the_constructor_import_no_mlflow():
    code = (
        "import sys; from pathlib import Path; from releases.registry import Registry; "
        "Registry('sqlite:///x.db', Path('l')); assert 'mlflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_scenario_is_answered_with_the_known_ones(registry, bundles):
    register_all(registry, bundles)
    expected = r"shopp: no release is registered. Did you mean 'shop'\? Registered: shop. .*`polyloom run shopp`"
    with pytest.raises(RequestError, match=expected):
        registry.resolve("shopp")
    with pytest.raises(RequestError, match=r"shopp: no release is registered"):
        registry.promote("shopp", "1", expected=None, **WHO)
    assert registry.versions("shopp") == []


def test_a_scenario_without_champion_says_how_to_get_one(registry, bundles):
    register_all(registry, bundles)
    with pytest.raises(RequestError, match=r"there is no 'champion'; there is candidate .version 3.*polyloom promote"):
        registry.resolve("shop")


def test_a_version_that_is_not_there_is_answered_with_those_that_are(registry, bundles):
    register_all(registry, bundles)
    for version in ("9", "v1"):
        with pytest.raises(RequestError, match=rf"shop: there is no version '{version}'; there are 1, 2, 3"):
            registry.promote("shop", version, expected=None, **WHO)


def test_a_champion_that_was_deleted_behind_our_back_is_named(registry, bundles):
    register_all(registry, bundles)
    registry.promote("shop", "1", expected=None, **WHO)
    registry.client.delete_model_version("shop", "1")
    with pytest.raises(RequestError, match=r"there is no 'champion'.*The ledger says that it was version 1"):
        registry.resolve("shop")


def test_a_bundle_that_is_gone_is_named(registry, bundles):
    register_all(registry, bundles)
    bundles[0].rmdir()
    with pytest.raises(IntegrityError, match=r"bundle of version 1 is not at .*aaa any more.*`polyloom rollback shop`"):
        registry.resolve("shop", "1")


@pytest.mark.parametrize("name", ["../shop", "Shop", "shop' OR '1", ""])
def test_a_name_that_no_scenario_can_have_is_refused(registry, name):
    with pytest.raises(RequestError, match=r"is not a name. Names have small letters"):
        registry.resolve(name)
    assert registry.versions(name) == []


def test_a_folder_is_no_store(tmp_path):
    for uri in (str(tmp_path), tmp_path.as_uri()):
        with pytest.raises(RequestError, match=r"is a folder, which MLflow no longer accepts.*'sqlite:///"):
            Registry(uri, tmp_path).versions("shop")


def test_a_server_needs_the_run(tmp_path):
    registry = Registry("http://127.0.0.1:1", tmp_path)
    with pytest.raises(RequestError, match=r"run_id: the MLflow server http://127.0.0.1:1 registers a release only"):
        registry._source(tmp_path, None)


class Killed(BaseException):
    """Stands for the end of the process, at an exact place."""


class DyingAliases:
    """Dies at the n-th call, before or after it took effect."""

    def __init__(self, real, *, dies_at, after):
        self.real, self.left, self.after = real, dies_at, after

    def read(self, alias):
        return self._call(lambda: self.real.read(alias))

    def move(self, alias, version):
        return self._call(lambda: self.real.move(alias, version))

    def all(self):
        return self._call(self.real.all)

    def drop(self, alias):
        return self._call(lambda: self.real.drop(alias))

    def knows(self, version):
        return True

    def _call(self, call):
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Killed
        result = call()
        if self.left == 0:
            raise Killed
        return result


class Pointers(dict):
    """Aliases in memory."""

    read = dict.get
    move = dict.__setitem__
    drop = dict.__delitem__
    all = dict.copy

    def knows(self, version):
        return True


@pytest.mark.parametrize("dies_at", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("after", [False, True])
def test_a_change_that_died_anywhere_is_settled(tmp_path, dies_at, after):
    ledger = promotion.Ledger(tmp_path / "shop.jsonl")
    pointers = Pointers(champion="1", previous="0")
    facts = {"scenario": "shop", "action": "promote", "alias": "champion", "digest": "d", **WHO}
    with pytest.raises(Killed):
        change_alias(
            ledger=ledger,
            aliases=DyingAliases(pointers, dies_at=dies_at, after=after),
            version="2",
            expected="1",
            **facts,
        )
    promotion.settle(ledger, pointers)
    promotion.settle(ledger, pointers)
    moved = (dies_at, after) > (2, False)
    assert pointers == ({"champion": "2", "previous": "1"} if moved else {"champion": "1", "previous": "0"})
    assert [change.outcome for change in changes(ledger)] == ["done" if moved else "abandoned"]
    assert ledger.verify() == 2


def test_an_alias_that_does_not_stay_where_it_was_put_is_reported(tmp_path):
    class Restless(Pointers):
        def move(self, alias, version):
            self[alias] = "7"

    ledger = promotion.Ledger(tmp_path / "shop.jsonl")
    with pytest.raises(RegistryError, match=r"set to version 2 but reads as 7: something outside polyloom moves it"):
        change_alias(
            scenario="shop",
            ledger=ledger,
            aliases=Restless(champion="1"),
            action="promote",
            alias="champion",
            version="2",
            digest="d",
            expected="1",
            **WHO,
        )
    assert [change.outcome for change in changes(ledger)] == ["abandoned"]


@pytest.fixture(scope="module", autouse=True)
def promoter():
    """A process that has MLflow loaded and forks others; it loads while the first tests run. Task in, answer out."""
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, root / "tests/support/promoter.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )

    def ask(**task):
        process.stdin.write(json.dumps(task) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    yield ask
    process.stdin.close()
    process.wait(timeout=30)
    process.stdout.close()


def test_of_two_promotions_against_the_same_champion_one_wins(promoter, registry, mlflow_uri, bundles):
    """Guards against MLflow's lost update: its alias is a bare upsert."""
    register_all(registry, bundles)
    registry.promote("shop", "1", expected=None, **WHO)
    rounds = 20
    outcomes = promoter(do="race", uri=mlflow_uri, folder=str(registry.ledger_folder), rounds=rounds)
    winners = [
        [one["version"] for one in outcomes if one["round"] == number and one["won"]] for number in range(rounds)
    ]
    assert [len(versions) for versions in winners] == [1] * rounds
    made = [change for change in registry.history("shop") if change.outcome == "done"]
    assert [[change.version] for change in made[1:]] == winners
    assert [change.against for change in made[1:]] == [change.version for change in made[:-1]]
    assert registry.resolve("shop").version == made[-1].version
    assert registry.ledger("shop").verify() == 2 * (3 + 1 + 2 * rounds)


def test_a_promotion_that_was_killed_leaves_the_old_or_the_new_champion(promoter, registry, mlflow_uri, bundles):
    register_all(registry, bundles)
    registry.promote("shop", "1", expected=None, **WHO)
    chance = random.Random(7)
    open_intents = 0
    for number in range(10):
        seconds = chance.uniform(0.02, 0.4)
        answer = promoter(do="kill", uri=mlflow_uri, folder=str(registry.ledger_folder), seconds=seconds)
        assert answer == {"exit": -9}
        open_intents += promotion.open_intent(registry.ledger("shop")) is not None
        made = [change for change in registry.history("shop") if change.outcome == "done"]
        assert registry.resolve("shop").version == made[-1].version, f"kill {number} after {seconds:.2f} s"
        assert len(made) == 1 or registry.resolve("shop", "previous").version == made[-2].version
        assert registry.ledger("shop").verify() == 2 * len(registry.history("shop", steps=True))
    assert open_intents > 0, "no kill hit a promotion; the test would prove nothing"


def test_a_database_whose_making_was_killed_is_made_again(promoter, tmp_path):
    """MLflow cannot mend a half-made database; ours appears whole or not at all."""
    database = tmp_path / "mlflow.db"
    assert promoter(do="kill_making", uri=f"sqlite:///{database}", folder=str(tmp_path)) == {"exit": -9}
    assert len(list(tmp_path.glob(".mlflow.db.draft-*/mlflow.db"))) == 1
    assert not database.exists()
    Registry(f"sqlite:///{database}", tmp_path).register("shop", tmp_path, "a" * 64, None, {})
    assert sorted(path.name for path in tmp_path.glob(".mlflow.db*")) == [".mlflow.db.lock"]
