"""The client of a downstream service against a real MLflow server: killed under load, back again, and without one."""

import shutil
import threading
import time
import weakref

import pytest

from polyloom.durable import read_json, write_json
from polyloom.errors import IntegrityError, RegistryError
from releases.bundle import seal
from releases.bundle_cache import BundleCache, safe_place
from releases.client import ReleaseClient
from releases.registry import Registry
from releases.registry_lookup import Named, credentials, lookup
from releases.runtime import Runtime
from tests.support.mlflow_store import copy_store, template
from tests.support.registry_server import RegistryServer
from tests.support.small_bundle import make_small_bundle

ROW = {"text": "Where is my parcel?"}


class Setting:
    """A registry of `support` with two releases, of which the first is champion, and its server's settings."""

    def __init__(self, folder, store):
        self.folder = folder
        self.store = store
        self.registry = Registry(store, folder / "ledger")
        self.bundles = [self.made(title) for title in ("first", "second")]
        self.versions = [self.registry.register("support", one, one.name, None, {}) for one in self.bundles]
        self.promote(0, expected=None)

    def made(self, title):
        draft = self.folder / "releases" / "support" / title
        make_small_bundle(draft, name="support")
        write_json(draft / "application.json", {**read_json(draft / "application.json"), "title": title})
        (draft / "manifest.json").unlink()
        digest = seal(draft)
        return draft.rename(draft.with_name(digest))

    def register_over(self, uri, *, title):
        """A release that a run sends to a server, and of which nothing is left here; it becomes champion."""
        bundle = self.made(title)
        far = Registry(uri, self.folder / "ledger")
        run = far.client.create_run(far.client.create_experiment("support")).info.run_id
        version = far.register("support", bundle, bundle.name, run, {})
        far.promote("support", version, expected="2", who="test", why="because")
        shutil.rmtree(self.folder / "releases")
        shutil.rmtree(self.folder / "models")

    def promote(self, place, *, expected="1"):
        self.registry.promote("support", self.versions[place], expected=expected, who="test", why="because")

    def client(self, uri=None, **settings):
        settings = {"cache": self.folder / "cache", "poll_seconds": 3600, **settings}
        return ReleaseClient(uri or self.store, "support", **settings)


@pytest.fixture
def setting(tmp_path, tmp_path_factory):
    return Setting(tmp_path, copy_store(template(tmp_path_factory), tmp_path / "mlflow.db"))


def waited(condition, seconds=120):
    """Until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_a_server_killed_under_load_costs_no_call_and_its_next_champion_is_taken_up(setting):
    server = RegistryServer(setting.folder, store=setting.store).start()
    failures, calls, end = [], [], threading.Event()

    def load(client):
        while not end.is_set():
            try:
                (found,) = client.predict([ROW])
                calls.append(found.answers["topic"].label)
            except BaseException as error:
                failures.append(error)
                raise

    try:
        with setting.client(server.uri, poll_seconds=0.2) as client:
            threads = [threading.Thread(target=load, args=(client,)) for _ in range(4)]
            for thread in threads:
                thread.start()
            waited(lambda: len(calls) > 20)
            assert not client.status.stale
            server.kill()
            waited(lambda: client.status.stale)
            assert "does not answer" in client.status.reason
            assert (client.status.version, client.runtime.title) == ("1", "first")
            before = len(calls)
            waited(lambda: len(calls) > before + 20)
            setting.promote(1)
            server.start()
            waited(lambda: client.runtime.title == "second")
            waited(lambda: not client.status.stale)
            assert client.status.digest == setting.bundles[1].name
            before = len(calls)
            waited(lambda: len(calls) > before + 20)
            setting.registry.client.delete_registered_model_alias("support", "champion")
            waited(lambda: client.status.stale)
            assert "champion" in client.status.reason
            assert client.runtime.title == "second"
            end.set()
            for thread in threads:
                thread.join()
    finally:
        end.set()
        server.kill()
    assert not failures
    assert set(calls) == {"delivery"}


@pytest.mark.slow
def test_a_bundle_of_another_machine_is_fetched_and_files_that_are_known_are_not(setting, monkeypatch):
    server = RegistryServer(setting.folder, store=setting.store).start()
    asked = []
    from releases import bundle_cache

    fetch = bundle_cache.fetched
    monkeypatch.setattr(
        bundle_cache, "fetched", lambda address, **most: asked.append(address) or fetch(address, **most)
    )
    try:
        # The bundles' own folders are gone, as on another machine; the registered models still hold them.
        shutil.rmtree(setting.folder / "releases")
        with setting.client(server.uri) as client:
            assert client.predict([ROW])[0].answers["topic"].label == "delivery"
            files = len(
                read_json(setting.folder / "cache" / "bundles" / setting.bundles[0].name / "manifest.json")["files"]
            )
            assert len(asked) == files + 1
            asked.clear()
            setting.promote(1)
            assert client.check().version == "2"
            assert client.runtime.title == "second"
            assert len(asked) == 2
            setting.register_over(server.uri, title="third")
            status = client.check()
            assert (status.reason, status.version) == (None, "3")
            assert client.runtime.title == "third"
            assert "mlflow-artifacts:" in setting.registry.client.get_model_version_download_uri("support", "3")
    finally:
        server.kill()


@pytest.mark.slow
def test_a_registry_in_postgresql_is_followed(tmp_path, postgres):
    address = postgres.render_as_string(hide_password=False)
    setting = Setting(tmp_path, address)
    with setting.client() as client:
        assert (client.status.version, client.status.stale) == ("1", False)
        setting.promote(1)
        assert client.check().version == "2"
        setting.registry.client.delete_registered_model_alias("support", "champion")
        assert client.check().stale
    with setting.client() as client:
        assert client.runtime.title == "second"
        assert client.status.stale


def test_without_a_registry_the_last_good_release_is_opened_and_says_so(setting):
    with setting.client() as client:
        assert client.status.confirmed is not None
    with setting.client("http://127.0.0.1:1") as client:
        assert client.runtime.title == "first"
        assert client.status.stale
        assert client.status.confirmed is None
        assert "127.0.0.1:1 does not answer" in client.status.reason


def test_without_a_registry_and_without_a_release_it_says_what_to_do(setting):
    with pytest.raises(RegistryError, match=r"support@champion cannot be had: .*no release of it was opened before"):
        setting.client("http://127.0.0.1:1")
    missing = f"sqlite:///{setting.folder / 'none.db'}"
    with pytest.raises(RegistryError, match=r"There is no registry at .*none.db"):
        setting.client(missing)
    assert not (setting.folder / "none.db").exists()


def test_an_alias_that_is_gone_leaves_the_pinned_release(setting):
    with setting.client() as client:
        setting.registry.client.delete_registered_model_alias("support", "champion")
        first = client.check()
        assert first.stale
        assert "champion" in first.reason
        assert client.check().stale_since == first.stale_since
        assert client.predict([ROW])[0].answers["topic"].label == "delivery"
        setting.registry.client.set_registered_model_alias("support", "champion", "1")
        assert not client.check().stale


def test_a_swap_leaves_running_calls_on_the_old_release_which_then_goes(setting):
    with setting.client() as client:
        held = client.runtime
        gone = weakref.ref(held)
        setting.promote(1)
        assert client.check().version == "2"
        assert (held.title, client.runtime.title) == ("first", "second")
        assert held.predict([ROW])[0].answers["topic"].label == "delivery"
        del held
        waited(lambda: gone() is None, 10)


def test_a_damaged_release_is_not_taken_up(setting):
    with setting.client() as client:
        (setting.bundles[1] / "card.md").unlink()
        (setting.bundles[1] / "card.md").write_text("changed", encoding="utf-8")
        setting.promote(1)
        status = client.check()
        assert status.stale
        assert "'card.md'" in status.reason
        assert (status.version, client.runtime.title) == ("1", "first")


def test_a_release_that_was_damaged_in_the_cache_is_got_again(setting):
    setting.client().close()
    kept = setting.folder / "cache" / "bundles" / setting.bundles[0].name / "card.md"
    kept.unlink()
    kept.write_text("changed", encoding="utf-8")
    with setting.client() as client:
        assert not client.status.stale
        assert "changed" not in client.runtime.card


def test_a_check_that_dies_of_something_unforeseen_is_told_and_the_next_is_made(setting):
    def opened(folder, digest):
        runtime = Runtime.open(folder, digest=digest)
        if runtime.title == "second":
            raise ZeroDivisionError("unforeseen")
        return runtime

    with setting.client(poll_seconds=0.05, opened=opened) as client:
        setting.promote(1)
        waited(lambda: client.status.stale)
        assert client.status.reason == "unforeseen"
        setting.registry.rollback("support", "test", "back")
        waited(lambda: not client.status.stale)
        assert client.runtime.title == "first"


def test_a_version_that_polyloom_did_not_register_is_refused(setting):
    model = setting.registry.client
    model.create_registered_model("foreign")
    version = model.create_model_version("foreign", setting.bundles[0].as_uri()).version
    model.set_registered_model_alias("foreign", "champion", version)
    with pytest.raises(RegistryError, match=r"foreign@champion is version 1, which has no tag 'polyloom.digest'"):
        lookup(setting.store)("foreign", "champion")


@pytest.mark.parametrize("name", ["/etc/passwd", "../../x", "a/../../x", "a\\b", ""])
def test_a_manifest_that_leads_out_of_its_bundle_is_refused(tmp_path, name):
    with pytest.raises(IntegrityError, match=r"The manifest names the file .* not inside its bundle"):
        safe_place(tmp_path, name)


def test_a_database_hands_out_no_files(tmp_path):
    cache = BundleCache(tmp_path, tracking_uri="sqlite:///x.db")
    with pytest.raises(RegistryError, match=r"the bundle of version 3 is not on this machine.*address of an MLflow"):
        cache.get("shop", Named("3", "d" * 64, tmp_path / "gone"))
    assert not (tmp_path / "bundles" / ("d" * 64)).exists()


def test_who_asks_is_told_by_the_variables_of_mlflow():
    assert credentials({}) == {}
    assert credentials({"MLFLOW_TRACKING_TOKEN": "t"}) == {"Authorization": "Bearer t"}
    given = credentials({"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "p"})
    assert given == {"Authorization": "Basic YW5uOnA="}
