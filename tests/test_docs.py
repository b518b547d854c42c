"""The documents are in step with the code."""

import re
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from flows.cli import main
from flows.recipe import Recipe, Rung
from flows.source_spec import (
    Boxes,
    Conll,
    Documents,
    EventLog,
    Feedback,
    Idx,
    Pictures,
    SavedDataset,
    Sql,
    Table,
    WatchedFolder,
)
from flows.spec import DataScenario, Scenario
from training.strategies.settings import STRATEGIES

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")]
)


def commands():
    return {name for name, command in main.commands.items() if not command.hidden}


def test_every_command_is_documented():
    told = set(re.findall(r"^\| `polyloom (\w+)", (ROOT / "docs/commands.md").read_text(), flags=re.MULTILINE))
    assert told == commands()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_command_that_is_not_there(page):
    blocks = re.findall(r"`polyloom ([a-z]+)|^polyloom ([a-z]+)", page.read_text(), flags=re.MULTILINE)
    assert {first or second for first, second in blocks} <= {*main.commands, "run"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), target


def test_every_command_of_a_group_with_a_scenario_is_documented():
    told = re.findall(
        r"^\| `polyloom (\w+) SCENARIO (\w+)", (ROOT / "docs/commands.md").read_text(), flags=re.MULTILINE
    )
    for name in ("quarantine", "snapshots"):
        assert {inner for outer, inner in told if outer == name} == set(main.commands[name].commands)


def test_every_command_of_a_group_without_one_is_documented():
    told = re.findall(r"^\| `polyloom (\w+) ([a-z]+)", (ROOT / "docs/commands.md").read_text(), flags=re.MULTILINE)
    for name in ("bundle", "tokens"):
        assert {inner for outer, inner in told if outer == name} == set(main.commands[name].commands)


def test_options_named_beside_a_command_are_its_options():
    context = click.Context(main)
    for line in (ROOT / "docs/commands.md").read_text().splitlines():
        found = re.match(r"\| `polyloom (\w+)(?: SCENARIO)?(?: ([a-z]+))?([^`]*)`", line)
        if found:
            command = main.get_command(context, found[1])
            command = (
                command.get_command(context, found[2]) if isinstance(command, click.Group) and found[2] else command
            )
            known = {option for parameter in command.params for option in parameter.opts}
            assert set(re.findall(r"--[a-z-]+", found[3])) <= known, line


def test_every_section_of_a_scenario_is_in_the_guide():
    guide = (ROOT / "docs/scenarios.md").read_text()
    for name in Scenario.model_fields:
        assert re.search(rf"\b{name}\b", guide) or name in {"name", "title", "description", "rows"}, name


def test_every_key_of_a_recipe_and_every_strategy_is_in_the_guide():
    guide = (ROOT / "docs/scenarios.md").read_text().partition("## tasks, fusion, recipe")[2]
    for name in {*Recipe.model_fields, *Rung.model_fields, *STRATEGIES}:
        assert re.search(rf"\b{name}\b", guide), name


def test_the_readmes_scenario_is_valid():
    example = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert Scenario.model_validate(yaml.safe_load(example[1])).name == "shop"


def test_the_sources_in_the_guide_to_ingestion_are_valid():
    examples = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/ingestion.md").read_text(), flags=re.DOTALL)
    assert len(examples) > 1
    for example in examples:
        DataScenario.model_validate({"name": "guide", "title": "Guide", **yaml.safe_load(example)})


def test_every_key_of_a_source_is_in_the_guide():
    guide = (ROOT / "docs/scenarios.md").read_text().partition("## modalities")[0]
    kinds = (Table, Pictures, Sql, Conll, Idx, Boxes, SavedDataset, WatchedFolder, EventLog, Documents, Feedback)
    for name in {name for kind in kinds for name in kind.model_fields}:
        assert re.search(rf"`{name}\b", guide), name


def test_the_readmes_make_targets_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)", (ROOT / "README.md").read_text()))
    assert named <= targets


def test_the_page_on_security_names_tests_that_there_are():
    named = re.findall(r"`((?:tests|flows)/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "docs/security.md").read_text())
    assert len(named) > 15
    for path, test in named:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not test or re.search(rf"^def {test}\(", text, flags=re.MULTILINE), f"{path}::{test}"


def test_help_names_every_command():
    shown = CliRunner().invoke(main, ["--help"]).output
    assert all(name in shown for name in commands())
