import pytest

from ingestion.demo.make import make


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "shop"
    make("shop", folder)
    return folder


@pytest.fixture(scope="session")
def handbook(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "handbook"
    make("handbook", folder)
    return folder


@pytest.fixture(scope="session")
def support(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "support"
    make("support", folder)
    return folder
