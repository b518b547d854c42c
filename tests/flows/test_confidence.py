"""Calibration, sets and scope: from a scenario to a release that answers with them."""

import json

import numpy as np
import pytest
import yaml

from flows.decoder_assembly import build_decoder
from flows.report import prediction_columns, prediction_rows, shown_prediction
from flows.scenario_file import load_scenario
from heads.conformal import ConformalSets
from heads.cost_decoding import CostDecoder
from heads.decoders import load_decoder
from heads.decoding import ClassificationDecoder
from heads.scope import Scope
from polyloom.durable import read_json
from polyloom.errors import RequestError, ScenarioError
from releases.runtime import Runtime
from tests.support.stage_runs import job_for, packaged

WORDS = {"food": "lunch dinner soup", "money": "stolen forged coin", "sky": "moon cloud rain", "odd": "zzyx qqwj xkcd"}
ALL = {
    "calibration": "platt",
    "conformal": {"alpha": 0.2},
    "out_of_scope": {"score": "distance", "share": 0.1, "unknown": ["odd"]},
}


def write_notes(folder, *, kind="category", **task):
    """A table whose words tell the label, and the scenario."""
    random = np.random.default_rng(0)
    rows = [
        {"id": f"n{number}", "text": " ".join(random.choice(WORDS[label].split(), 2)), "label": label}
        for number, label in enumerate(list(WORDS) * 60)
    ]
    for row in rows:
        row["label"] = [row["label"]] if kind == "labels" else row["label"]
    (folder / "notes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    scenario = {
        "name": "notes",
        "title": "Notes",
        "data": {
            "notes": {"kind": "table", "path": "notes.jsonl", "key": "id", "text": ["text"], "columns": {"label": kind}}
        },
        "modalities": {"chars": {"kind": "characters", "dim": 128}},
        "tasks": {"label": {"kind": "classification", "target": "label", **task}},
        "splits": {"validation": 0.25, "test": 0.25},
        "recipe": {"epochs": 8, "patience": 0, "batch_size": 16, "learning_rate": 0.02},
        "gate": {"metric": "label.accuracy"},
    }
    path = folder / "notes.yaml"
    path.write_text(yaml.safe_dump(scenario, sort_keys=False), encoding="utf-8")
    return path


def decoder_of(path, training):
    return build_decoder(load_scenario(str(path)).scenario, "label", column_kind="category", training=training)


def test_what_the_task_says_becomes_a_decoder(tmp_path):
    decoder = decoder_of(write_notes(tmp_path, **ALL), list(WORDS) * 2)
    assert decoder == ClassificationDecoder(
        problem="multiclass",
        labels=("food", "money", "sky"),
        calibration="platt",
        conformal=ConformalSets(alpha=0.2),
        scope=Scope(score="distance", share=0.1),
        held_out=("odd",),
    )
    plain = decoder_of(write_notes(tmp_path), list(WORDS))
    assert plain == ClassificationDecoder(problem="multiclass", labels=tuple(sorted(WORDS)))


def test_costs_and_sets_go_together(tmp_path):
    decoder = decoder_of(write_notes(tmp_path, costs={"food": {"sky": 3}}, conformal={}), list(WORDS))
    assert isinstance(decoder, CostDecoder)
    assert decoder.conformal == ConformalSets()
    assert load_decoder(json.loads(json.dumps(decoder.to_json()))) == decoder


@pytest.mark.parametrize(
    ("kind", "task", "message"),
    [
        ("category", {"calibration": "plat"}, "tasks.label.calibration: 'plat' is not known. Did you mean 'platt'?"),
        ("category", {"conformal": {"alpha": 0}}, "tasks.label.conformal.alpha"),
        ("category", {"conformal": {"alfa": 0.1}}, "Did you mean 'alpha'?"),
        ("category", {"out_of_scope": {"share": 1}}, "tasks.label.out_of_scope.share"),
        ("category", {"out_of_scope": {"score": "energi"}}, "Did you mean 'energy'?"),
        ("labels", {"conformal": {"score": "aps"}}, "tasks.label.conformal.score: 'aps' ranks labels of which one"),
        ("labels", {"out_of_scope": {}}, "tasks.label.out_of_scope: 'label' is declared as labels"),
    ],
)
def test_what_cannot_be_is_told_by_its_place(tmp_path, kind, task, message):
    with pytest.raises(ScenarioError) as caught:
        load_scenario(str(write_notes(tmp_path, kind=kind, **task)))
    assert message in str(caught.value)


def test_a_label_to_hold_out_that_nobody_has_is_named(tmp_path):
    path = write_notes(tmp_path, out_of_scope={"unknown": ["od"]})
    with pytest.raises(RequestError, match=r"out_of_scope\.unknown: no training row has the label 'od'\. Did you mean"):
        decoder_of(path, list(WORDS))


def test_a_release_answers_with_set_and_scope(tmp_path, polyloom_home):
    bundle = packaged(job_for(write_notes(tmp_path, **ALL)))
    runtime = Runtime.open(bundle)
    figures = runtime.metrics["label"]
    assert figures["coverage_low"] <= figures["coverage"] <= figures["coverage_high"]
    assert set(figures["coverage_by_label"]) == {"food", "money", "sky"}
    assert figures["unknown_auroc"] > 0.9
    # Rows of the label that was held out are no mistakes.
    assert figures["accuracy"] > 0.9
    assert "## Sets of labels" in runtime.card
    known, stranger = runtime.predict([{"text": "lunch soup"}, {"text": "qqwj zzyx"}])
    assert (known.answers["label"].label, known.answers["label"].in_scope) == ("food", True)
    assert not stranger.answers["label"].in_scope
    assert stranger.answers["label"].scope_score > known.answers["label"].scope_score
    told = shown_prediction(known)["answers"]["label"]
    assert json.loads(json.dumps(told))["label_set"] == list(known.answers["label"].label_set)
    lines = prediction_rows([known, stranger])
    assert prediction_columns(lines)[-2:] == ["set", "scope"]
    assert [line["scope"] for line in lines] == ["in", "OUT"]
    head = read_json(bundle / "heads" / "label" / "head.json")
    assert head["outputs"] == ["fused_embedding", "logits"]
