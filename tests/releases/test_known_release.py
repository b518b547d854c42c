"""A release found by the ledger alone: the same that the registry names, or none where only the registry can tell."""

import subprocess
import sys

import pytest

from polyloom.errors import IntegrityError
from releases.known_release import known_release
from releases.mlflow_store import SQLITE
from releases.promotion import begin
from releases.registry import Registry

WHO = {"who": "ann", "why": "better"}


@pytest.fixture
def shop(tmp_path, mlflow_uri):
    """A registry in which version 2 is champion and 1 previous, and what asks the ledger alone."""
    registry = Registry(mlflow_uri, tmp_path / "ledger")
    for letter in "ab":
        folder = tmp_path / "releases" / "shop" / (letter * 64)
        folder.mkdir(parents=True)
        registry.register("shop", folder, folder.name, None, {})
    registry.promote("shop", "1", expected=None, **WHO)
    registry.promote("shop", "2", expected="1", **WHO)

    def asked(alias="champion", uri=mlflow_uri):
        return known_release(
            "shop", alias, tracking_uri=uri, ledgers=tmp_path / "ledger", releases=tmp_path / "releases"
        )

    return registry, asked


def test_it_is_the_one_that_the_registry_names(shop):
    registry, asked = shop
    for alias in ("champion", "previous"):
        release = registry.resolve("shop", alias)
        assert asked(alias) == ("shop", release.path, release.digest, release.version)
    registry.rollback("shop", "ann", "no")
    assert asked().digest == "a" * 64


def test_what_only_the_registry_can_tell_is_left_to_it(shop, tmp_path):
    registry, asked = shop
    assert asked("stable") is None
    assert asked("1") is None
    assert asked(uri="http://127.0.0.1:5000") is None
    assert asked(uri="postgresql+psycopg://h/d") is None
    assert asked(uri=f"{SQLITE}{tmp_path / 'nowhere.db'}") is None
    begin(registry.ledger("shop"), action="promote", alias="champion", version="1", digest="a" * 64, against="2", **WHO)
    assert asked() is None
    registry.resolve("shop")
    assert asked().digest == "b" * 64
    (tmp_path / "releases" / "shop" / ("b" * 64)).rmdir()
    assert asked() is None
    assert (
        known_release(
            "other", "champion", tracking_uri=registry.tracking_uri, ledgers=tmp_path / "ledger", releases=tmp_path
        )
        is None
    )


def test_a_broken_ledger_is_told(shop):
    registry, asked = shop
    path = registry.ledger("shop").path
    path.write_bytes(path.read_bytes().replace(b"better", b"bitter", 1))
    with pytest.raises(IntegrityError, match="line 5 of"):
        asked()


def test_it_imports_neither_mlflow_nor_sqlalchemy():
    code = "import sys, releases.known_release; print({'mlflow', 'sqlalchemy', 'pandas'} & {*sys.modules})"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "set()"
