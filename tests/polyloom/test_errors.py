"""One tree of errors, each with its exit code."""

import inspect

import pytest

from polyloom import errors
from polyloom.errors import PolyloomError, suggestion

TREE = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception)}
EXIT_CODES = {"RequestError": 2, "ScenarioError": 2, "WeightsError": 2, "FilterError": 2, "GateRefusedError": 3}


@pytest.mark.parametrize("name", list(TREE))
def test_every_error_has_the_base_and_its_exit_code(name):
    assert issubclass(TREE[name], PolyloomError)
    assert TREE[name].exit_code == EXIT_CODES.get(name, 1)


@pytest.mark.parametrize("name", list(TREE))
def test_every_error_stands_in_the_drawing(name):
    assert f"{name} " in errors.__doc__


@pytest.mark.parametrize(
    ("word", "expected"),
    [("resnet81", " Did you mean 'resnet18'?"), ("title", " Did you mean 'title'?"), ("zzz", ""), ("", "")],
)
def test_suggestion(word, expected):
    assert suggestion(word, ["resnet18", "title"]) == expected
