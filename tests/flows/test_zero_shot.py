"""Few rows and none: prototypes, labels told by texts, contrastive pairs, through the stages of a run."""

import json

import numpy as np
import pytest
import yaml

from flows.scenario_file import load_scenario
from flows.stages.beginnings import label_vectors
from flows.stages.encoders import open_encoder
from flows.stages.job import Job
from flows.stages.lesson import labelled, lesson_of
from flows.stages.material import Material
from flows.stages.prepare import prepare
from flows.stages.pretrain import pretrain
from flows.strategies import fit_plans
from flows.zero_shot import label_texts
from heads.label_vectors import label_means
from polyloom.errors import DataError, ScenarioError
from polyloom.progress import SILENT
from releases.runtime import Runtime
from tests.support.stage_runs import fitted, job_for, packaged
from tests.support.tiny_models import write_bert

OWN = {"red_shoe": "red shoe", "lost_card": "lost card", "退款": "退款 吗"}
DESCRIPTIONS = {"red_shoe": "the red shoe", "lost_card": ["my lost card", "card lost"]}


def write_wishes(folder, *, task=None, train=True, **changes):
    """Texts of three labels with a scenario over a tiny text model; returns the scenario's path."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(90):
        label = list(OWN)[number % 3]
        words = [OWN[label], *random.choice(["the", "a", "my", "?", "."], 1 + number % 2)]
        split = ("train", "validation", "test")[number // 3 % 3]
        rows.append({"id": f"w{number}", "text": " ".join(words), "label": label, "split": split})
    rows = [row for row in rows if train or row["split"] != "train"]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "wishes.jsonl").write_text(lines, encoding="utf-8")
    scenario = {
        "name": "wishes",
        "title": "Wishes",
        "data": {
            "wishes": {
                "kind": "table",
                "path": "wishes.jsonl",
                "key": "id",
                "text": ["text"],
                "split": "split",
                "columns": {"label": "category"},
            }
        },
        "modalities": {
            "text": {
                "kind": "text",
                "model": str(write_bert(folder / "bert")),
                "weights": str(folder / "bert"),
                "max_tokens": 16,
            }
        },
        "tasks": {"label": {"kind": "classification", "target": "label", **(task or {})}},
        "recipe": {"epochs": 3, "patience": 0, "batch_size": 16, "learning_rate": 0.01},
        "gate": {"metric": "label.accuracy"},
        **changes,
    }
    path = folder / "wishes.yaml"
    path.write_text(yaml.safe_dump(scenario, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def test_prototypes_begin_at_the_means_of_the_training_rows(tmp_path):
    job = job_for(write_wishes(tmp_path, task={"head": "prototypes"}))
    prepare(job, progress=SILENT)
    material = Material(job, progress=SILENT)
    (plan,) = fit_plans(job.scenario)
    inputs = material.inputs(plan)
    model, _ = material.model(plan, inputs, start=None)
    rows, vectors = job.split("train"), inputs["text"].vectors
    # The fusion of one frozen text is a LayerNorm that has learned nothing.
    centred = vectors[rows] - vectors[rows].mean(axis=1, keepdims=True)
    normal = centred / np.sqrt(centred.var(axis=1, keepdims=True) + 1e-5)
    expected = label_means(normal, material.targets["label"].truth["labels"][rows], count=3)
    found = model.tasks["label"].head.linear.vectors.detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_zero_shot_takes_the_nearest_text_and_fits_nothing(tmp_path):
    path = write_wishes(tmp_path, task={"zero_shot": {"descriptions": DESCRIPTIONS}})
    job = job_for(path)
    bundle = packaged(job)
    report = job.finished("fit")
    assert (report["history"], report["trained_parameters"]) == ([], 0)
    encoder, preparation = open_encoder(job, "text", progress=SILENT), job.preparations["text"]
    texts = {"lost_card": ["my lost card", "card lost"], "red_shoe": ["the red shoe"], "退款": ["退款"]}

    def unit(vectors):
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)

    told = {label: unit(unit(encoder(preparation(own))).mean(axis=0)) for label, own in texts.items()}
    asked = ["red shoe ?", "my card", "退款 吗"]
    near = unit(encoder(preparation(asked))) @ np.stack(list(told.values())).T
    answers = Runtime.open(bundle).predict([{"text": text} for text in asked])
    assert [one.answers["label"].label for one in answers] == [list(told)[place] for place in near.argmax(axis=1)]


def test_zero_shot_needs_no_training_rows(tmp_path):
    descriptions = {label: words for label, words in OWN.items() if label != "退款"} | {"退款": "退款"}
    job = job_for(write_wishes(tmp_path, train=False, task={"zero_shot": {"descriptions": descriptions}}))
    fitted(job)
    assert job.finished("fit")["trained_parameters"] == 0


def test_what_speaks_for_a_label(tmp_path):
    task = {"zero_shot": {"descriptions": DESCRIPTIONS, "template": "This is about {label}."}}
    settings = load_scenario(str(write_wishes(tmp_path, task=task))).scenario.tasks["label"].zero_shot
    assert label_texts(settings, "red_shoe") == ("the red shoe",)
    assert label_texts(settings, "lost_card") == ("my lost card", "card lost")
    assert label_texts(settings, "blue_hat") == ("This is about blue hat.",)
    assert label_texts(settings, "退款") == ("This is about 退款.",)


def test_prototypes_may_begin_between_texts_and_rows(tmp_path):
    job = job_for(write_wishes(tmp_path, task={"head": "prototypes", "zero_shot": {"weight": 1.0}}))
    prepare(job, progress=SILENT)
    material = Material(job, progress=SILENT)
    (plan,) = fit_plans(job.scenario)
    model, _ = material.model(plan, material.inputs(plan), start=None)
    labels = material.targets["label"].decoder.labels
    told = label_vectors(job, "label", job.scenario.tasks["label"].zero_shot, labels, progress=SILENT)
    prototypes = model.tasks["label"].head.linear
    np.testing.assert_allclose(prototypes.vectors.detach().numpy(), told, atol=1e-6)
    assert prototypes.vectors.requires_grad


def test_contrastive_pairs_bring_labels_together_before_the_fit(tmp_path):
    settings = {"kind": "contrastive", "epochs": 5, "learning_rate": 0.003, "batch_size": 8, "label_names": True}
    job = job_for(write_wishes(tmp_path, pretrain={"text": settings}))
    prepare(job, progress=SILENT)
    plain = separation(job)
    report = pretrain(job, progress=SILENT, on_epoch=lambda *_: None)["encoders"]["text"]
    # 30 training rows, and the three labels' names.
    assert report["rows"] == 33
    assert report["losses"][-1] < report["losses"][0]
    assert separation(job) > plain + 0.1
    fitted(job)
    assert job.finished("fit")["best_metric"] > 0.9


def separation(job: Job) -> float:
    """How much nearer test rows are to their own label's than to others, in cosines."""
    rows = [job.task_rows[number] for number in job.split("test")]
    vectors = open_encoder(job, "text", progress=SILENT)(job.preparations["text"]([row["text"] for row in rows]))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.array([row["label"] for row in rows])
    alike = labels[:, None] == labels
    return float((unit @ unit.T)[alike].mean() - (unit @ unit.T)[~alike].mean())


def test_only_training_rows_are_learned_from(tmp_path):
    job = job_for(write_wishes(tmp_path, pretrain={"text": {"kind": "contrastive"}}))
    prepare(job, progress=SILENT)
    lesson = lesson_of(job, "text")
    by_split = {
        split: {row["text"] for row in job.task_rows if row["_split"] == split} for split in ("train", "validation")
    }
    assert set(lesson.values[: lesson.rows]) == by_split["train"]
    assert set(lesson.values[lesson.rows :]) == by_split["validation"]
    assert lesson.rows == len(job.split("train"))


def test_labels_of_one_row_each_have_no_pairs(tmp_path, monkeypatch):
    job = job_for(write_wishes(tmp_path, pretrain={"text": {"kind": "contrastive"}}))
    prepare(job, progress=SILENT)
    monkeypatch.setattr(Job, "targets", lambda self, _: list(range(len(self.task_rows))))
    with pytest.raises(
        DataError, match=r"tasks\.label have 30 value\(s\) of 30 label\(s\); contrastive learning needs"
    ):
        labelled(job, "text", task="label")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("pretrain.text={kind: contrastive, mask: 0.2}", "pretrain.text.mask: means nothing to contrastive learning"),
        ("pretrain.text={temperature: 0.2}", "pretrain.text.temperature: means nothing to any kind but contrastive"),
        ("pretrain.text={kind: contrastive, task: size}", "pretrain.text.task: 'size' is no classification that reads"),
        ("tasks.label.zero_shot={template: about}", "'about' has no place for the label. Write {label} where"),
        ("tasks.label.zero_shot={descriptions: {a: []}}", "tasks.label.zero_shot.descriptions.a: "),
        ("tasks.label.zero_shot={words: 1}", "tasks.label.zero_shot.words: unknown key"),
        ("tasks.label.inputs=[chars]", "exactly one text of form text or entailment is read, here are ['chars']"),
        ("recipe.strategy=full", "but the fit trains modalities.text"),
        ("data.wishes.columns.label=labels", "the nearest label is one label, but 'label' holds lists"),
    ],
)
def test_what_cannot_be_is_told_by_its_place(tmp_path, override, message):
    path = write_wishes(tmp_path, task={"zero_shot": {}})
    scenario = yaml.safe_load(path.read_text(encoding="utf-8"))
    scenario["modalities"]["chars"] = {"kind": "characters"}
    scenario["tasks"]["label"]["inputs"] = ["text"]
    path.write_text(yaml.safe_dump(scenario, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load_scenario(str(path), overrides=[override])
    assert message in str(caught.value)
