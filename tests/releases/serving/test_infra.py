"""What infra/ asks Prometheus for is what the server tells."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from releases.serving.handled import Handled
from releases.serving.known import known
from releases.serving.metrics import WATCHED, Metrics

INFRA = Path(__file__).parents[3] / "infra"
METRIC = re.compile(r"\b(?:polyloom|process)_\w+")
LABELLED = re.compile(r"\b((?:polyloom|process)_\w+)\{([^}]*)\}")


def alerts():
    rules = yaml.safe_load((INFRA / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule["expr"] for group in rules for rule in group["rules"]}


def panels():
    board = json.loads((INFRA / "grafana" / "serving.json").read_text())
    return {
        f"{one['title']}, {target['refId']}": target["expr"] for one in board["panels"] for target in one["targets"]
    }


def variables():
    board = json.loads((INFRA / "grafana" / "serving.json").read_text())
    return {one["name"]: one["query"] for one in board["templating"]["list"] if one["type"] == "query"}


EXPRESSIONS = {**alerts(), **panels(), **variables()}


@pytest.fixture(scope="module")
def told():
    """Names of samples and their labels, of a server at which everything has happened once."""
    metrics = Metrics(known(routes=["/health"], scenarios=["shop"], actions=["predict"], reasons=["busy"]))
    metrics.handled(
        Handled(
            request_id="1",
            method="GET",
            route="/health",
            status=429,
            seconds=1,
            scenario="shop",
            refused="busy",
            rows=1,
        )
    )
    metrics.handled(
        Handled(request_id="1", method="GET", route="/health", status=200, seconds=1, scenario="shop", rows=1)
    )
    metrics.batch(scenario="shop", action="predict", rows=1, seconds=1)
    metrics.waited(scenario="shop", seconds=1)
    metrics.released("shop", "1", "abc")
    metrics.switched("shop", ok=True)
    metrics.unlogged("full")
    for name, (_, labels) in WATCHED.items():
        metrics.watch(name, lambda: 1, scenario="shop" if labels else None)
    families = text_string_to_metric_families(metrics.text()[0].decode())
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_metric_that_is_asked_for_is_told(name, told):
    asked = set(METRIC.findall(EXPRESSIONS[name]))
    assert asked or name == "PolyloomDown"
    assert asked <= set(told)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_and_so_is_every_label(name, told):
    for metric, labels in LABELLED.findall(EXPRESSIONS[name]):
        assert set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", labels)) <= told[metric] | {"job", "instance"}, metric


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_brackets_are_closed(name):
    left = re.sub(r'"[^"]*"', "", EXPRESSIONS[name])
    while (shorter := re.sub(r"\([^()\[\]{}]*\)|\[[^()\[\]{}]*\]|\{[^()\[\]{}]*\}", "", left)) != left:
        left = shorter
    assert not set(left) & set("()[]{}")


def test_every_metric_of_ours_is_watched_by_somebody(told):
    ours = {name for name in told if name.startswith("polyloom_") and not name.endswith("_created")}
    asked = {name for expression in EXPRESSIONS.values() for name in METRIC.findall(expression)}
    roots = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in ours} <= roots


def test_the_scrape_reads_the_rules_beside_it():
    settings = yaml.safe_load((INFRA / "prometheus.yml").read_text())
    assert all((INFRA / name).is_file() for name in settings["rule_files"])
    assert {one["job_name"] for one in settings["scrape_configs"]} == {"polyloom"}


def test_panels_stand_beside_each_other():
    board = json.loads((INFRA / "grafana" / "serving.json").read_text())
    places = [(one["gridPos"]["x"], one["gridPos"]["y"]) for one in board["panels"]]
    assert len(set(places)) == len(places)
    assert len({one["id"] for one in board["panels"]}) == len(places)
