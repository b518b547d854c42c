"""Teachers, pruning and int8, from a scenario to a bundle that answers."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from flows.compress_report import compress_lines, variant_rows
from flows.scenario_file import load_scenario
from flows.stages import variants
from flows.stages.encoders import encoder_digest, graph_folder, loaded_encoder
from flows.stages.evaluate import evaluate
from flows.stages.export import export_graphs
from flows.stages.material import target
from flows.stages.package import package
from flows.stages.prepare import prepare
from flows.stages.teach import distillation, teach
from flows.stages.variant import PLAIN, Variant
from flows.stages.variants import choose_variants, refusal, variants_asked
from flows.teacher import teacher_digest
from flows.unchanged import deciding
from polyloom.durable import read_json
from polyloom.errors import RequestError, ScenarioError
from polyloom.progress import SILENT
from releases.card import model_card
from releases.runtime import Runtime
from tests.support.stage_runs import fitted, job_for, packaged
from tests.support.toys import write_toys
from training.units import units_of

STUDENT = ("modalities.text.train=full", "modalities.text.layers=1")
PRUNE = ("modalities.text.train=full", "recipe.epochs=3")
STATIC = ("modalities.image.train=frozen", "tasks.colour.inputs=[image]", "export.int8=static")


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    return write_toys(tmp_path_factory.mktemp("toys") / "toys")


@pytest.fixture(scope="module")
def words(toys):
    """The toys by their words alone: few graphs to export."""
    own = yaml.safe_load(toys.read_text(encoding="utf-8"))
    own["modalities"] = {name: own["modalities"][name] for name in ("text", "chars")}
    own["tasks"] = {name: {**own["tasks"][name], "inputs": ["text", "chars"]} for name in ("colour", "tags")}
    own["index"] = {"rows": "toys", "embed": ["chars"]}
    path = toys.with_name("words.yaml")
    path.write_text(yaml.safe_dump({**own, "name": "words"}, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def teacher(words, tmp_path_factory):
    """A bundle from another home: nothing that it computed is known here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLYLOOM_HOME", str(tmp_path_factory.mktemp("teacher_home")))
        return packaged(job_for(words, "recipe.epochs=6"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["recipe.distill={temperature: 2}"], "recipe.distill.teacher"),
        (["recipe.distill={teacher: t, temperature: 0}"], "recipe.distill.temperature"),
        (
            ["recipe.distill={teacher: t, features: 1}", "modalities.image.train=frozen"],
            "recipe.distill.features: every encoder is frozen",
        ),
        (["recipe.prune={kind: magnitude, share: 1}"], "recipe.prune.share"),
        (["recipe.prune={kind: magnitude}", "recipe.strategy=auto"], "recipe.prune: the rungs of `strategy: auto`"),
        (["recipe.prune={kind: magnitude, modality: text}"], "'text' is not trained whole"),
        (["recipe.prune={kind: magnitude, modality: txt}"], "recipe.prune.modality: .*'text'"),
        (
            ["recipe.prune={kind: magnitude}", "modalities.image.train=frozen"],
            "recipe.prune: no encoder is trained whole",
        ),
        (
            ["recipe.prune={kind: magnitude}", "modalities.text.train=full"],
            "image, text could be pruned; name one, for example `image`",
        ),
        (
            ["recipe.prune={kind: structured}", "recipe.unfreeze_epochs=2"],
            "recipe.prune.kind: structured judges all layers by their gradients",
        ),
        (["export={int8: dynamic, runtime: openvino}"], "export.runtime: openvino runs graphs as they are"),
        (["export={int8: half}"], "export.int8"),
    ],
)
def test_what_cannot_be_made_smaller_so_is_refused(toys, overrides, message):
    with pytest.raises(ScenarioError, match=message):
        load_scenario(str(toys), overrides=overrides)


def test_without_graphs_there_is_nothing_to_export_otherwise(toys):
    words = "{chars: {kind: characters, dim: 256, columns: [title]}}"
    overrides = [
        f"modalities={words}",
        "tasks={tags: {kind: classification, target: tags, inputs: [chars]}}",
        "index.embed=[chars]",
        "gate.metric=tags.micro_f1",
        "export={int8: dynamic}",
    ]
    with pytest.raises(ScenarioError, match="export: no modality has an encoder"):
        load_scenario(str(toys), overrides=overrides)


def test_a_teacher_needs_a_classification_to_speak_of(toys):
    overrides = [
        "tasks={price: {kind: regression, target: price, inputs: [chars]}}",
        "gate.metric=price.r2",
        "recipe.distill={teacher: t}",
    ]
    with pytest.raises(ScenarioError, match="no task of kind classification is fitted"):
        load_scenario(str(toys), overrides=overrides)


def test_the_teachers_answers_are_those_of_its_release(words, teacher):
    job = job_for(words, *STUDENT, f"recipe.distill={{teacher: {teacher}, weight: 0.7, features: 0.5}}")
    prepare(job, progress=SILENT)
    report = teach(job, progress=SILENT)
    assert report["teacher"] == teacher_digest(str(teacher))
    rows = job.split("train")
    assert report["rows"] == len(rows)
    assert report["embedded"]["text"] > 0
    again = job_for(words, *STUDENT, f"recipe.distill={{teacher: {teacher}, weight: 0.1}}")
    prepare(again, progress=SILENT)
    assert set(teach(again, progress=SILENT)["embedded"].values()) == {0}
    goals = {task: target(job, task) for task in job.scenario.tasks}
    found = distillation(job, goals, progress=SILENT)
    runtime = Runtime.open(teacher)
    outputs, _ = runtime.outputs([job.task_rows[row] for row in rows])
    for task in job.scenario.tasks:
        ordered = [runtime.heads[task].decoder.labels.index(label) for label in goals[task].decoder.labels]
        np.testing.assert_allclose(found.logits[task].values[rows], outputs[task]["logits"][:, ordered], atol=1e-4)
        assert found.logits[task].known.sum() == len(rows)
    assert found.multilabel == {"tags"}
    assert set(found.embeddings) == {"text"}
    assert (found.weight, found.features) == (0.7, 0.5)


def test_a_student_that_hears_only_its_teacher_answers_like_it(words, teacher):
    given = f"recipe.distill={{teacher: {teacher}, weight: 1.0, features: 1.0}}"
    job = job_for(words, *STUDENT, given)
    report = fitted(job)
    assert report["history"][-1]["train_loss"] < report["history"][0]["train_loss"]
    export_graphs(job, progress=SILENT)
    evaluate(job, progress=SILENT)
    student = Runtime.open(Path(package(job, progress=SILENT)["folder"]))
    rows = [job.task_rows[row] for row in job.split("train")]
    ours, theirs = (
        one.outputs(rows, tasks=["colour"])[0]["colour"]["logits"] for one in (student, Runtime.open(teacher))
    )
    assert np.mean(ours.argmax(1) == theirs.argmax(1)) >= 0.9
    assert "It learned from the release" in student.card


def test_a_student_is_another_encoder_than_the_whole_model(words):
    whole = job_for(words, "modalities.text.train=full")
    student = job_for(words, "modalities.text.train=full", "modalities.text.layers=1")
    for job in (whole, student):
        prepare(job, progress=SILENT)
    assert encoder_digest(whole, "text") != encoder_digest(student, "text")


def test_a_teacher_of_other_labels_or_tasks_is_refused(toys, words, teacher, tmp_path):
    others = tmp_path / "toys.jsonl"
    others.write_text((toys.parent / "toys.jsonl").read_text().replace('"colour": "red"', '"colour": "rose"'))
    (tmp_path / "pictures").symlink_to(toys.parent / "pictures")
    job = job_for(words, f"recipe.distill={{teacher: {teacher}}}", f"data.toys.path={others}")
    prepare(job, progress=SILENT)
    goals = {task: target(job, task) for task in job.scenario.tasks}
    with pytest.raises(RequestError, match="only one of them knows 'red', 'rose'"):
        distillation(job, goals, progress=SILENT)
    renamed = job_for(
        words,
        f"recipe.distill={{teacher: {teacher}}}",
        "tasks={shade: {kind: classification, target: colour, inputs: [chars]}}",
        "gate.metric=shade.accuracy",
    )
    prepare(renamed, progress=SILENT)
    with pytest.raises(RequestError, match="'words' has no classification 'shade'; it has colour, tags"):
        teach(renamed, progress=SILENT)


def test_another_teacher_is_another_run(toys, teacher):
    plain = load_scenario(str(toys), overrides=[])
    taught = load_scenario(str(toys), overrides=[f"recipe.distill={{teacher: {teacher}}}"])
    assert "teacher" not in deciding(plain)
    assert deciding(taught)["teacher"] == teacher_digest(str(teacher))


def test_a_pruned_encoder_is_smaller_in_its_release(words):
    job = job_for(words, *PRUNE, "recipe.prune={kind: structured, share: 0.5}")
    report = fitted(job)
    assert report["pruned"]["gone"] == {"heads": 2, "neurons": 64}
    assert report["best_epoch"] >= 2
    assert report["pruned"]["weights_left"] < report["pruned"]["weights"]
    assert sum(units.count(loaded_encoder(job, "text")) for units in units_of(loaded_encoder(job, "text"))) == 2 + 64
    assert export_graphs(job, progress=SILENT)["encoders"]["text"] < 1e-4
    whole = job_for(words, *PRUNE)
    fitted(whole)
    export_graphs(whole, progress=SILENT)
    small, large = ((graph_folder(one, "text") / "model.onnx").stat().st_size for one in (job, whole))
    assert small < large
    (line,) = compress_lines(report)
    assert "2 heads and 64 neurons were taken out of 'text'" in line


def test_zeros_stay_in_a_release_pruned_by_magnitude(words):
    job = job_for(words, *PRUNE, "recipe.prune={kind: magnitude, share: 0.4}")
    report = fitted(job)
    assert report["pruned"]["zeros"] == pytest.approx(0.4, abs=0.01)
    weights = loaded_encoder(job, "text").backbone.encoder.layer[0].intermediate.dense.weight
    assert float((weights == 0).float().mean()) > 0.1
    (line,) = compress_lines(report)
    assert "40.0% are zero, which makes no graph faster" in line


def figures(*, rate: float = 200.0, p50: float = 1.0, value: float = 0.0, high: float = 0.01) -> dict:
    change = {"value": value, "low": -0.05, "high": high}
    moved = {"colour": {"metric": "accuracy", "value": 0.9, "rows": 50, "change": change}}
    return {"rows_per_second": rate, "p50_milliseconds": p50, "metrics": moved}


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (figures(), ""),
        (figures(rate=100.0), "it is not faster (100 against 100 rows/s)"),
        (figures(p50=2.5), "it is not faster (2.5 against 2 ms a row)"),
        (figures(high=-0.001), "colour.accuracy is significantly worse (+0.0000, from -0.0500 to -0.0010)"),
        (figures(value=-0.02), "colour.accuracy is worse by more than 0.01 (-0.0200, from -0.0500 to +0.0100)"),
    ],
)
def test_a_variant_is_released_only_if_equal_and_faster(found, message):
    assert refusal(found, {"rows_per_second": 100.0, "p50_milliseconds": 2.0}, margin=0.01) == message


def test_which_variants_are_tried(toys, monkeypatch):
    def asked(*overrides: str) -> list[str]:
        return [one.name for one in variants_asked(load_scenario(str(toys), overrides=overrides).scenario.export)]

    monkeypatch.setattr("flows.stages.variants.computes_in_bf16", lambda: False)
    assert asked() == []
    assert asked("export.int8=auto") == ["int8 dynamic, onnxruntime", "int8 static, onnxruntime"]
    assert asked("export={int8: static, runtime: openvino}") == ["fp32, openvino", "int8 static, openvino"]
    assert asked("export={int8: dynamic, runtime: auto}") == ["fp32, openvino", "int8 dynamic, onnxruntime"]
    assert asked("export.runtime=openvino_bf16") == ["bf16, openvino"]
    monkeypatch.setattr("flows.stages.variants.computes_in_bf16", lambda: True)
    assert asked("export={int8: static, runtime: auto}") == [
        "fp32, openvino", "bf16, openvino", "int8 static, onnxruntime", "int8 static, openvino",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def exported():
    """Runs up to their heads' graphs."""

    def run(scenario: Path, *overrides: str):
        job = job_for(scenario, "recipe.epochs=4", *overrides)
        fitted(job)
        export_graphs(job, progress=SILENT)
        return job

    return run


def test_a_release_answers_by_the_variant_that_was_chosen(exported, words, monkeypatch):
    monkeypatch.setattr(variants, "refusal", lambda found, against, *, margin: "")
    job = exported(words, "export.int8=dynamic")
    before = encoder_digest(job, "text")
    report = choose_variants(job, progress=SILENT)
    assert report["text"]["chosen"] == {"int8": "dynamic", "runtime": "onnxruntime"}
    assert set(report["text"]["variants"]) == {PLAIN.name, Variant("dynamic", "onnxruntime").name}
    assert encoder_digest(job, "text") != before
    evaluate(job, progress=SILENT)
    runtime = Runtime.open(Path(package(job, progress=SILENT)["folder"]))
    facts = read_json(runtime.folder / "encoders" / "text" / "encoder.json")
    assert (facts["int8"], facts["runtime"]) == ("dynamic", "onnxruntime")
    assert runtime.encoders["text"].digest == encoder_digest(job, "text")
    assert "### How it was made smaller" in runtime.card
    answer = runtime.predict([{"title": "a red robot"}])[0].answers["colour"]
    assert answer.label in {"red", "green", "blue"}


def test_a_variant_that_is_refused_leaves_the_plain_graph(exported, toys, monkeypatch):
    monkeypatch.setattr(variants, "refusal", lambda found, against, *, margin: "it is not faster")
    job = exported(toys, *STATIC)
    before = encoder_digest(job, "image")
    report = choose_variants(job, progress=SILENT)
    assert report["image"]["name"] == PLAIN.name
    assert encoder_digest(job, "image") == before
    lines = compress_lines({"variants": report})
    assert any("int8 static" in line and "not released: it is not faster" in line for line in lines)
    change = report["image"]["variants"]["int8 static, onnxruntime"]["metrics"]["colour"]["change"]
    assert change["low"] <= change["value"] <= change["high"]


def test_the_card_tells_what_made_it_smaller():
    one = {
        "bytes": 2_000_000,
        "parity": 0.001,
        "p50_milliseconds": 1.5,
        "p95_milliseconds": 2.0,
        "rows_per_second": 300.0,
        "refused": "",
        "metrics": figures()["metrics"],
    }
    rows = variant_rows({"text": {"name": "int8", "variants": {"int8": one}}, "seconds": 2.0})
    card = model_card(
        scenario="s",
        title="S",
        snapshot="x",
        metrics={},
        gate=None,
        modalities={},
        tasks={},
        rows={},
        intended_use="",
        limits=(),
        weights_origin={},
        seconds={},
        smaller=["It learned."],
        variants=rows,
    )
    assert "### How it was made smaller\n\nIt learned." in card
    assert (
        "| text | int8 | yes | colour.accuracy +0.0000 (-0.0500 to +0.0100) | 1.0e-03 | 2.0 | 1.50 | 2.00 | 300 |"
        in card
    )
