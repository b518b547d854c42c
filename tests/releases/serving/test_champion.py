"""A new champion takes over between two requests; one that cannot be opened changes nothing."""

import gc
import threading
import time
import weakref

import pytest

from polyloom.errors import RegistryError
from polyloom.home import home
from releases.bundle import seal
from releases.mlflow_store import SQLITE
from releases.registry import Registry
from releases.registry_lookup import Named
from releases.runtime import Runtime
from releases.serving.champion import Champion
from releases.serving.process import Listening
from tests.support.live_server import client_of, live_server
from tests.support.small_bundle import make_small_bundle, release_small_bundle


@pytest.fixture
def team(tmp_path, monkeypatch):
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path))
    release_small_bundle(home(), name="support")
    return Registry(f"{SQLITE}{home() / 'mlflow.db'}", home() / "ledger")


def another(team, number):
    """A further release that differs in its title, and is not champion yet; its version and its folder."""
    draft = home() / "releases" / "support" / f"draft{number}"
    make_small_bundle(draft, name="support", blobs=home() / "blobs")
    facts = draft / "application.json"
    facts.write_text(facts.read_text().replace('"title": "', f'"title": "No. {number} '), encoding="utf-8")
    (draft / "manifest.json").unlink()
    digest = seal(draft)
    folder = draft.rename(draft.with_name(digest))
    return team.register("support", folder, digest, None, {}), folder


def wait(is_so, seconds=20):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_champions_switch_under_load_and_no_request_fails(team):
    version, _ = another(team, 2)
    with live_server() as (url, service), client_of(url) as client:
        seen, bad, ended = [], [], threading.Event()

        def ask():
            with client_of(url) as own:
                while not ended.is_set():
                    answer = own.post("/v1/support/predict", json={"text": "Where is my parcel?"})
                    (seen if answer.status_code == 200 else bad).append(answer.json())

        callers = [threading.Thread(target=ask) for _ in range(4)]
        for caller in callers:
            caller.start()
        old = weakref.ref(service.champion("support").served.runtime)
        wait(lambda: len(seen) > 20)
        team.promote("support", version, expected="1", who="test", why="better")
        wait(lambda: client.get("/v1/support").json()["version"] == version)
        wait(lambda: seen[-1]["release"]["version"] == version)
        team.rollback("support", who="test", why="back")
        wait(lambda: seen[-1]["release"]["version"] == "1")
        ended.set()
        for caller in callers:
            caller.join()
        assert bad == []
        assert {one["release"]["version"] for one in seen} == {"1", version}
        wait(lambda: gc.collect() >= 0 and old() is None)
        assert 'polyloom_switches_total{outcome="done",scenario="support"} 2.0' in client.get("/metrics").text


def test_a_release_that_cannot_be_opened_leaves_the_old_one_and_is_told(team):
    version, folder = another(team, 2)
    with live_server() as (url, _), client_of(url) as client:
        card = next(folder.glob("heads/*/head.json"))
        card.chmod(0o644)
        card.write_text("{}", encoding="utf-8")
        team.promote("support", version, expected="1", who="test", why="better")
        wait(lambda: client.get("/ready").json()["scenarios"]["support"]["stale_since"])
        told = client.get("/ready").json()["scenarios"]["support"]
        assert told["version"] == "1"
        assert "head.json" in told["stale_because"]
        assert client.post("/v1/support/predict", json={"text": "怎么退货？"}).status_code == 200
        assert 'polyloom_switches_total{outcome="failed",scenario="support"} 1.0' in client.get("/metrics").text
        team.rollback("support", who="test", why="broken")
        wait(lambda: client.get("/ready").json()["scenarios"]["support"]["stale_since"] is None)


def test_without_a_registry_the_release_of_before_answers_and_says_so(tmp_path):
    digest = make_small_bundle(tmp_path / "support", name="support")

    def nobody(scenario, alias):
        raise RegistryError("The registry does not answer.")

    def champion(**settings):
        return Champion(
            "support",
            "champion",
            look_up=nobody,
            opened=lambda found: Runtime.open(found.folder),
            door=lambda _: None,
            **settings,
        )

    with pytest.raises(RegistryError, match="does not answer"):
        champion()
    one = champion(last_good=lambda: Named("7", digest, tmp_path / "support"))
    assert (one.served.version, one.standing.reason) == ("7", "The registry does not answer.")
    one.close()


def test_a_release_that_cannot_be_opened_is_not_read_at_every_look(tmp_path):
    digest = make_small_bundle(tmp_path / "support", name="support")
    named, tried = Named("1", digest, tmp_path / "support"), []

    def opened(found):
        tried.append(found.version)
        if found.version == "2":
            raise RegistryError("It is broken.")
        return Runtime.open(found.folder)

    one = Champion("support", "champion", look_up=lambda *_: named, opened=opened, door=lambda _: None, poll_seconds=60)
    named = Named("2", "0" * 64, tmp_path / "support")
    assert [one.check() for _ in range(5)] == [False] * 5
    assert (tried, one.served.version, one.standing.reason) == (["1", "2"], "1", "It is broken.")
    one.close()


def test_an_address_is_written_as_browsers_take_it():
    assert Listening(host="::1", port=8000).url == "http://[::1]:8000"
