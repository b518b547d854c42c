"""One tiny BERT folder for the whole folder of tests."""

import pytest

from tests.support.tiny_models import write_bert


@pytest.fixture(scope="session")
def bert(tmp_path_factory):
    """A model folder as the hub keeps it; tests that change a byte copy it first."""
    return write_bert(tmp_path_factory.mktemp("bert"))
