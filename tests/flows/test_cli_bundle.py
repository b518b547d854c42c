"""`polyloom bundle`: a release carried from one machine to another, looked at, and its room kept small."""

import hashlib
import json
import os
import shutil
import time

import pytest

from flows.bundles import bundles
from flows.released_rows import registry
from polyloom.home import home
from releases import archive
from releases.archive import read_archive
from releases.bundle import seal, verify
from releases.objects import ObjectStore, publish
from tests.support.command_line import inside
from tests.support.mlflow_store import copy_store, template
from tests.support.small_bundle import SHOP, make_small_bundle, picture_of, release_small_bundle


@pytest.fixture
def machine(tmp_path, tmp_path_factory):
    """Give a state folder of its own to each machine, and run commands on it."""

    def at(name):
        folder = tmp_path / name
        if not folder.is_dir():
            folder.mkdir()
            copy_store(template(tmp_path_factory), folder / "mlflow.db")

        def run(*words):
            return inside("bundle", *words, environment={"POLYLOOM_HOME": str(folder)})

        return run

    return at


@pytest.fixture
def here(machine, tmp_path):
    """The machine that has a released shop."""
    run = machine("here")
    release_small_bundle(tmp_path / "here")
    return run


@pytest.fixture
def there(machine):
    """A machine that has nothing."""
    return machine("there")


@pytest.fixture
def carried(here, tmp_path):
    """The exported release, with its pictures."""
    path = tmp_path / "shop.tar.gz"
    assert here("export", "shop", path, "--with-pictures").code == 0
    return path


def releases(tmp_path, monkeypatch, name="there"):
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path / name))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return registry()


def test_a_release_is_carried_and_answers_there(here, there, carried, tmp_path, monkeypatch):
    done = there("import", carried, "--json")
    assert done.code == 0, done.err
    assert done.json["status"] == "imported"
    assert done.json["aliases"] == ["candidate", "imported"]
    assert done.json["pictures"] == len(SHOP)
    store = releases(tmp_path, monkeypatch)
    found = store.resolve("shop", "imported")
    assert verify(found.path, expected=found.digest).digest == done.json["digest"]
    assert found.tags["polyloom.snapshot"] == "5" * 64
    assert found.tags["polyloom.imported"] == "version 1 of another machine"
    (change,) = [change for change in store.history("shop") if change.alias == "imported"]
    assert change.why == "imported: version 1 of shop on another machine"
    blobs = home() / "blobs"
    assert sorted(path.read_bytes() for path in blobs.rglob("*") if path.is_file()) == sorted(
        picture_of(item[0]) for item in SHOP
    )
    assert not list((home() / "incoming").iterdir())
    searched = inside(
        "search",
        "shop@imported",
        "--text",
        "Red enamel mug",
        "-k",
        "1",
        "--json",
        environment={"POLYLOOM_HOME": str(home())},
    )
    assert searched.json["hits"][0]["id"] == "p01"


def test_the_same_release_again_is_there_already(there, carried, tmp_path, monkeypatch):
    assert there("import", carried).code == 0
    again = there("import", carried)
    assert "was there already as shop/1, candidate, imported" in again.said
    named = there("import", carried, "--alias", "champion")
    assert "champion" in named.said
    store = releases(tmp_path, monkeypatch)
    assert [one.version for one in store.versions("shop")] == ["1"]
    assert store.resolve("shop").aliases == ("champion", "imported")
    assert len(list((home() / "releases" / "shop").iterdir())) == 1


def test_the_history_of_the_version_goes_along_and_no_place_of_this_machine(carried, tmp_path):
    record = read_archive(carried).record
    assert [(one["action"], one["alias"], one["version"]) for one in record.history][-1] == ("promote", "champion", "1")
    assert str(tmp_path) not in json.dumps(archive.asdict(record))


def test_the_same_release_exported_twice_gives_the_same_bytes(here, carried, tmp_path):
    (tmp_path / "again").mkdir()
    assert here("export", "shop@1", tmp_path / "again" / carried.name, "--with-pictures").code == 0
    assert (tmp_path / "again" / carried.name).read_bytes() == carried.read_bytes()


def test_pictures_that_were_forgotten_are_counted(here, tmp_path):
    shutil.rmtree(next((tmp_path / "here" / "blobs").iterdir()))
    done = here("export", "shop", tmp_path / "less.tar", "--with-pictures", "--json").json
    assert done["pictures"] + done["pictures_missing"] == len(SHOP)
    assert done["pictures_missing"] > 0
    assert here("export", "shop", tmp_path / "none.tar", "--json").json["pictures"] == 0


def test_another_bundle_than_was_told_is_refused(there, carried, tmp_path):
    digest = read_archive(carried).record.digest
    refused = there("import", carried, "--digest", "0" * 64)
    assert refused.code == 1
    assert f"holds the bundle {digest}, not 0000" in refused.said
    assert there("import", carried, "--digest", digest).code == 0


@pytest.mark.parametrize("alias", ["previous", "Champion", "", "../x"])
def test_an_alias_that_cannot_be_given_is_refused_first(there, carried, tmp_path, alias):
    refused = there("import", carried, f"--alias={alias}")
    assert refused.code == 2
    assert "cannot be given. Use 'candidate', 'champion', or a name of your own" in refused.said
    assert not (tmp_path / "there" / "releases").exists()


def test_a_damaged_file_leaves_nothing(there, carried, tmp_path):
    content = bytearray(carried.read_bytes())
    content[len(content) // 2] ^= 1
    carried.write_bytes(content)
    refused = there("import", carried)
    assert refused.code == 1
    assert "Nothing was taken from it" in refused.said
    assert not (tmp_path / "there" / "releases").exists()
    assert not (tmp_path / "there" / "blobs").exists()
    assert not list((tmp_path / "there" / "incoming").iterdir())


def test_a_bundle_of_another_scenario_is_refused(there, tmp_path):
    digest = make_small_bundle(tmp_path / "bundle", name="support", blobs=tmp_path / "blobs")
    record = record_of("shop", digest, {})
    archive.write_archive(tmp_path / "x.tar", record, tmp_path / "bundle", picture=lambda _: tmp_path)
    assert "tells of a release of 'shop', but its bundle is of 'support'" in there("import", tmp_path / "x.tar").said
    (tmp_path / "bundle" / "application.json").write_bytes(b"[" * 100_000)
    record = record_of("shop", seal(tmp_path / "bundle"), {})
    archive.write_archive(tmp_path / "y.tar", record, tmp_path / "bundle", picture=lambda _: tmp_path)
    assert "but its bundle is of None" in there("import", tmp_path / "y.tar").said


def record_of(name, digest, pictures):
    return archive.ReleaseRecord(
        scenario=name, version="1", digest=digest, title="T", tags={}, history=[], pictures=pictures
    )


def test_a_picture_that_is_none_is_refused(there, tmp_path):
    digest = make_small_bundle(tmp_path / "bundle", blobs=tmp_path / "blobs")
    (tmp_path / "page").write_bytes(b"<script>")
    sha256 = hashlib.sha256(b"<script>").hexdigest()
    record = record_of("shop", digest, {sha256: 8})
    archive.write_archive(tmp_path / "x.tar", record, tmp_path / "bundle", picture=lambda _: tmp_path / "page")
    refused = there("import", tmp_path / "x.tar")
    assert refused.code == 1
    assert f"pictures/{sha256}" in refused.said
    assert not (tmp_path / "there" / "blobs").exists()
    assert not (tmp_path / "there" / "releases").exists()


def test_an_import_that_was_killed_is_repeated(there, carried, tmp_path, monkeypatch):
    """The bundle lay there already, unregistered; what a killed import left is tidied away."""
    left = tmp_path / "there" / "incoming" / "release.left"
    (left / "bundle").mkdir(parents=True)
    staging = tmp_path / "there" / "staging"
    digest = make_small_bundle(staging, blobs=tmp_path / "there" / "blobs")
    publish(staging, tmp_path / "there" / "releases" / "shop" / digest, ObjectStore(tmp_path / "there" / "objects"))
    done = there("import", carried, "--json").json
    assert (done["status"], done["bundle_was_there"]) == ("imported", True)
    assert there("tidy", "--json").json["left_removed"] == 1
    assert not left.exists()


def test_a_damaged_bundle_that_is_there_is_named(there, carried, tmp_path):
    assert there("import", carried).code == 0
    (bundle,) = (tmp_path / "there" / "releases" / "shop").iterdir()
    (bundle / "card.md").chmod(0o644)
    (bundle / "card.md").write_bytes(b"changed")
    assert "'card.md' has another size in" in there("import", carried).said


def test_verify_takes_a_release_a_folder_and_a_file(here, carried, tmp_path):
    (bundle,) = (tmp_path / "here" / "releases" / "shop").iterdir()
    for given in ("shop", "shop@1", bundle, carried):
        done = here("verify", given, "--json")
        assert (done.code, done.json["digest"]) == (0, bundle.name)
    assert "all" in here("verify", "shop").said
    (bundle / "card.md").write_bytes(b"changed")
    for given in ("shop", bundle):
        ended = here("verify", given)
        assert ended.code == 1
        assert "'card.md' has another size in the bundle" in ended.said
    ended = here("verify", tmp_path / "here" / "blobs")
    assert "is not a sealed bundle" in ended.said
    assert here("verify", "shoes").code == 2


def test_show_tells_what_other_bundles_hold(here, tmp_path):
    assert here("show", "shop", "--json").json["bytes_shared"] == 0
    (first,) = (tmp_path / "here" / "releases" / "shop").iterdir()
    second = tmp_path / "here" / "releases" / "shop" / "draft"
    shutil.copytree(first, second)
    (second / "card.md").write_text("another")
    digest = seal(second)
    second.rename(second.with_name(digest))
    found = here("show", "shop", "--json").json
    by_name = {one["file"]: one for one in found["files"]}
    assert by_name["card.md"]["also_in"] == []
    assert by_name["scenario.json"]["also_in"] == [f"shop/{digest[:12]}"]
    assert found["bytes_alone"] == by_name["card.md"]["size"]
    assert "in this one alone" in here("show", "shop").said
    tidied = here("tidy", "--json").json
    assert tidied["bytes_shared"] == found["bytes_shared"]
    assert (first / "scenario.json").samefile(second.with_name(digest) / "scenario.json")
    shutil.rmtree(second.with_name(digest))
    assert here("tidy", "--json").json["objects_removed"] == 1
    verify(first)


def test_tidy_names_what_is_damaged_and_goes_on(here, tmp_path, monkeypatch):
    (bundle,) = (tmp_path / "here" / "releases" / "shop").iterdir()
    (bundle / "card.md").write_bytes(b"changed")
    old = tmp_path / "here" / "releases" / "shop" / ".draft.old"
    old.mkdir()
    os.utime(old, (0, time.time() - 2 * 24 * 3600))
    young = tmp_path / "here" / "releases" / "shop" / ".draft.young"
    young.mkdir()
    ended = here("tidy")
    assert "damaged 'card.md' has another size in the bundle" in ended.said
    assert (old.exists(), young.exists()) == (False, True)
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path / "here"))
    assert list(bundles()) == [f"shop/{bundle.name[:12]}"]
    (bundle / "manifest.json").write_bytes(b"{}")
    assert list(bundles()) == []


def test_what_is_no_release_is_told(here, tmp_path):
    assert here("import", tmp_path / "none.tar").code == 2
    (tmp_path / "x.tar").write_bytes(b"x" * 2000)
    assert "is no release" in here("import", tmp_path / "x.tar").said
    assert here("export", "shoes", tmp_path / "y.tar").code == 2
