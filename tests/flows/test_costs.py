"""Mistakes that cost differently: from a scenario to cheapest answers that the gate judges."""

import json

import numpy as np
import pytest
import yaml

from flows import server
from flows.decoder_assembly import build_decoder
from flows.head_assembly import build_head
from flows.scenario_file import load_scenario
from heads.cost_decoding import CostDecoder
from heads.cost_losses import ExpectedCost, HierarchicalCrossEntropy, SoftLabels
from heads.decoders import load_decoder
from heads.decoding import ClassificationDecoder
from polyloom.errors import RequestError, ScenarioError
from tests.support.command_line import inside, state
from tests.support.mlflow_store import copy_store, template

WORDS = {"fine": "lunch dinner", "fraud": "stolen forged", "odd": "moon cheese"}
COSTS = {"fraud": {"fine": 20, "odd": 5}}
HIERARCHY = {"fine": "usual", "fraud": "unusual/bad", "odd": "unusual"}


def write_payments(folder, **task):
    """A table whose words tell the label, now and then wrongly, and the scenario."""
    random = np.random.default_rng(0)
    rows = [
        {"id": f"p{number}", "text": str(random.choice(WORDS[label].split())), "label": label}
        for number, label in enumerate(list(WORDS) * 100)
    ]
    for row in rows:
        if random.random() < 0.2:
            row["label"] = "fraud"
    (folder / "payments.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    scenario = {
        "name": "payments",
        "title": "Payments",
        "data": {
            "payments": {
                "kind": "table",
                "path": "payments.jsonl",
                "key": "id",
                "text": ["text"],
                "columns": {"label": "category"},
            }
        },
        "modalities": {"chars": {"kind": "characters", "dim": 256}},
        "tasks": {"label": {"kind": "classification", "target": "label", **task}},
        "recipe": {"epochs": 10, "patience": 0, "batch_size": 16, "learning_rate": 0.02},
        "gate": {"metric": "label.negative_mean_cost" if "costs" in task else "label.accuracy"},
    }
    path = folder / "payments.yaml"
    path.write_text(yaml.safe_dump(scenario, sort_keys=False), encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_gate_judges_by_cost_and_answers_are_the_cheapest(tmp_path_factory, session_server):
    folder = tmp_path_factory.mktemp("payments")
    home = folder / "home"
    home.mkdir()
    uri = copy_store(template(tmp_path_factory), home / "mlflow.db")
    environment = state(home, server=session_server.url, mlflow=uri)
    path = write_payments(folder, costs=COSTS, hierarchy=HIERARCHY)
    with server.connected(session_server.url):
        ended = inside("run", path, "--json", environment=environment)
        assert ended.code == 0, ended.err
        answered = inside("predict", "payments", "--text", "lunch", "--json", environment=environment)
    figures = ended.json["metrics"]["label"]
    assert ended.json["gate"]["challenger_value"] == pytest.approx(-figures["mean_cost"], abs=1e-5)
    # A fifth of the harmless words were fraud, and missing one costs twenty times a false alarm.
    assert figures["mean_cost"] < figures["mean_cost_of_probable"]
    assert 0.0 <= figures["mean_distance"] <= 1.0
    answer = answered.json["predictions"][0]["answers"]["label"]
    assert answer["label"] == "fraud"
    assert answer["probability"] < 0.5


def test_what_the_task_says_becomes_decoder_and_losses(tmp_path):
    scenario = load_scenario(str(write_payments(tmp_path, costs=COSTS, hierarchy=HIERARCHY))).scenario
    decoder = build_decoder(scenario, "label", column_kind="category", training=list(WORDS) * 2)
    assert isinstance(decoder, CostDecoder)
    assert decoder.labels == ("fine", "fraud", "odd")
    assert decoder.costs == ((0, 1, 1), (20, 0, 5), (1, 1, 0))
    assert decoder.distances[0] == (0, 1, 1)
    assert decoder.answering == "cheapest"
    assert load_decoder(decoder.to_json()) == decoder
    head = build_head(scenario, "label", decoder=decoder, dim=4, training=None)
    assert isinstance(head.instead, HierarchicalCrossEntropy)
    assert isinstance(head.beside, ExpectedCost)


def test_a_tree_alone_changes_the_loss_and_not_the_answers(tmp_path):
    path = write_payments(tmp_path, hierarchy=HIERARCHY, hierarchy_loss="soft_labels")
    scenario = load_scenario(str(path), overrides=["gate.metric=label.negative_mean_distance"]).scenario
    decoder = build_decoder(scenario, "label", column_kind="category", training=list(WORDS) * 2)
    assert decoder.answering == "probable"
    head = build_head(scenario, "label", decoder=decoder, dim=4, training=None)
    assert isinstance(head.instead, SoftLabels)
    assert head.beside is None


def test_without_costs_it_is_a_plain_classifier(tmp_path):
    scenario = load_scenario(str(write_payments(tmp_path))).scenario
    decoder = build_decoder(scenario, "label", column_kind="category", training=list(WORDS) * 2)
    assert type(decoder) is ClassificationDecoder


def test_a_matrix_is_over_the_sorted_labels(tmp_path):
    matrix = [[0, 1, 1], [20, 0, 5], [1, 1, 0]]
    scenario = load_scenario(str(write_payments(tmp_path, costs=matrix))).scenario
    decoder = build_decoder(scenario, "label", column_kind="category", training=list(WORDS) * 2)
    assert decoder.costs == tuple(map(tuple, matrix))
    with pytest.raises(
        RequestError, match=r"tasks\.label\.costs: a matrix of 3 rows and up to 3 columns, but there are 2"
    ):
        build_decoder(scenario, "label", column_kind="category", training=["fine", "odd"] * 2)


def test_a_label_that_nobody_has_is_named(tmp_path):
    scenario = load_scenario(str(write_payments(tmp_path, costs={"frod": {"fine": 2}}))).scenario
    with pytest.raises(RequestError, match=r"tasks\.label\.costs: no training row has the label 'frod'\. Did you mean"):
        build_decoder(scenario, "label", column_kind="category", training=list(WORDS) * 2)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"costs": {"fraud": {"fine": -1}}}, "tasks.label.costs"),
        ({"costs": [[0, "x"]]}, "tasks.label.costs"),
        ({"hierarchy": HIERARCHY, "class_weights": "balanced"}, "'balanced' has no part in hierarchy_loss 'hxe'"),
        ({"hierarchy_loss": "hexe"}, "tasks.label.hierarchy_loss: 'hexe' is not known. Did you mean 'hxe'?"),
    ],
)
def test_what_cannot_be_is_told_by_its_place(tmp_path, task, message):
    path = write_payments(tmp_path, **task)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(str(path), overrides=["gate.metric=label.accuracy"])
    assert message in str(caught.value)
