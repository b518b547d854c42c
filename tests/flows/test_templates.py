"""`polyloom init`: what it writes is valid, explained, and never in place of something else."""

import csv

import pytest

from flows.scenario_file import load_scenario
from flows.templates import write_scenario
from flows.validation import deep_problems
from ingestion.datasets import locate
from polyloom.errors import RequestError


def test_the_scenario_is_valid_as_it_stands(tmp_path):
    path = write_scenario("reviews2", folder=tmp_path)
    loaded = load_scenario(str(path))
    assert loaded.scenario.name == "reviews2"
    assert deep_problems(loaded) == []
    assert locate("reviews2.csv", beside=path).is_file()


def test_every_section_is_commented(tmp_path):
    text = write_scenario("demo", folder=tmp_path).read_text(encoding="utf-8")
    assert "polyloom run demo.yaml" in text
    for section in (
        "data:",
        "modalities:",
        "fusion:",
        "tasks:",
        "recipe:",
        "index:",
        "gate:",
        "quarantine:",
        "monitor:",
    ):
        assert section in text
    assert sum("#" in line for line in text.splitlines()) > 20


def test_the_rows_are_balanced_and_their_keys_differ(tmp_path):
    write_scenario("demo", folder=tmp_path)
    rows = list(csv.DictReader((tmp_path / "demo.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == len({row["id"] for row in rows}) == 64
    assert sum(row["tone"] == "good" for row in rows) == 32
    assert all((row["tone"] == "good") == (int(row["stars"]) >= 4) for row in rows)


@pytest.mark.parametrize("there", ["demo.yaml", "demo.csv"])
def test_what_is_there_is_not_overwritten(tmp_path, there):
    (tmp_path / there).write_text("mine")
    with pytest.raises(RequestError, match=f"{there} is there already and is not overwritten. Choose another name"):
        write_scenario("demo", folder=tmp_path)
    assert [path.name for path in tmp_path.glob("demo.*")] == [there]
    assert (tmp_path / there).read_text() == "mine"


@pytest.mark.parametrize("name", ["Demo", "1demo", "de-mo", "../demo", "demo.yaml", ""])
def test_a_name_that_cannot_be_is_refused(tmp_path, name):
    with pytest.raises(RequestError, match="is not a scenario's name: small letters, digits and '_', a letter first"):
        write_scenario(name, folder=tmp_path)
