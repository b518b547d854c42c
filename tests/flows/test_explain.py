"""From what a scenario says of explanations to the report and the pictures of a run."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flows.explain_checks import explained_tasks
from flows.scenario_file import load_scenario
from flows.stages.evaluate import evaluate
from flows.stages.explained_rows import chosen_rows
from flows.stages.export import export_graphs
from flows.stages.package import package
from heads.decoding import ClassificationDecoder
from heads.number_decoding import RegressionDecoder
from polyloom.durable import read_json
from polyloom.errors import ScenarioError
from polyloom.progress import SILENT
from releases.explaining import explain
from releases.runtime import Runtime
from tests.support.stage_runs import fitted, job_for
from tests.support.toys import write_toys

ASKED = "explain={rows: 6, tasks: [colour, cheap, tags], near: 2, steps: 8}"


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    return write_toys(tmp_path_factory.mktemp("toys") / "toys")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("explain={rows: 0}", "explain.rows"),
        ("explain={text: saliency}", "explain.text: 'saliency'"),
        ("explain={tasks: [color]}", "explain.tasks: .*'color'.*Did you mean 'colour'"),
    ],
)
def test_a_wrong_section_is_refused(toys, override, message):
    with pytest.raises(ScenarioError, match=message):
        load_scenario(str(toys), overrides=[override])


def test_a_task_of_another_kind_is_refused():
    with pytest.raises(ScenarioError, match="explain: 'names' is of kind token_classification; classification and"):
        load_scenario("conll2003", overrides=["explain={rows: 3}"])


@pytest.fixture(scope="module")
def explained(toys, tmp_path_factory):
    """A finished job with all its explanations, its release, and what was drawn; in a state folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLYLOOM_HOME", str(tmp_path_factory.mktemp("home") / "home"))
        job = job_for(toys, "recipe.epochs=6", ASKED)
        fitted(job)
        export_graphs(job, progress=SILENT)
        evaluate(job, progress=SILENT)
        bundle = Path(package(job, progress=SILENT)["folder"])
        drawn = sorted((job.folder / "evaluation").glob("*_explained_*.png"))
        yield job, read_json(job.folder / "evaluation" / "explanations.json"), bundle, drawn


def test_every_task_has_its_rows_with_their_reasons(explained):
    job, report, *_ = explained
    assert set(report) == {"colour", "cheap", "tags"}
    tested = {job.task_rows[row]["_key"] for row in job.split("test")}
    for rows in report.values():
        assert len(rows) == len({row["key"] for row in rows}) == 6
        assert {row["key"] for row in rows} <= tested
        assert {row["why"] for row in rows} <= {"sure and right", "sure and wrong", "unsure"}
        assert all(row["right"] == (row["why"] == "sure and right") for row in rows if row["why"] != "unsure")


def test_modalities_add_up(explained):
    for rows in explained[1].values():
        for row in rows:
            found = row["explanation"]
            assert found["base"] + sum(found["contributions"].values()) == pytest.approx(found["score"])


def test_each_modality_has_the_evidence_that_was_asked_for(explained):
    report = explained[1]
    methods = {", ".join(one["modalities"]): one["method"] for one in report["colour"][0]["explanation"]["evidence"]}
    assert methods == {"text": "integrated_gradients", "chars": "occlusion", "image": "grad_cam"}
    columns = [one for one in report["cheap"][0]["explanation"]["evidence"] if one["columns"]]
    assert {one["columns"][0]["column"] for one in columns} == {"price", "material"}
    assert {one["method"] for one in columns} == {"integrated_gradients"}


def test_the_colours_word_weighs_most_where_only_it_tells(explained):
    job, report, *_ = explained
    truth = {row["_key"]: row["colour"] for row in job.task_rows}
    for row in report["colour"]:
        (words,) = [one["words"] for one in row["explanation"]["evidence"] if one["modalities"] == ["chars"]]
        assert max(words, key=lambda word: word["weight"])["text"] == truth[row["key"]]


def test_near_rows_are_of_the_training_split_with_their_labels(explained):
    job, report, *_ = explained
    labels = {row["_key"]: row["colour"] for row in job.task_rows}
    splits = {row["_key"]: row["_split"] for row in job.task_rows}
    for row in report["colour"]:
        near = row["explanation"]["near"]
        assert len(near) == 2
        for known in near:
            assert splits[known["id"]] == "train"
            assert known["label"] == labels[known["id"]]
            assert "picture" not in known["row"]


def test_pictures_go_where_a_runs_pictures_go(explained):
    _, _, bundle, drawn = explained
    assert {path.name.partition("_explained")[0] for path in drawn} == {"colour", "cheap", "tags"}
    for path in drawn:
        with Image.open(path) as picture:
            assert picture.width > 600
            assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 50
    assert {path.name for path in drawn} <= {path.name for path in Runtime.open(bundle).folder.glob("pictures/*.png")}


def test_the_release_explains_the_same_answer_alike(explained):
    """The run's shares come from the graphs that are released."""
    job, report, bundle, _ = explained
    told = report["colour"][0]
    row = next(row for row in job.task_rows if row["_key"] == told["key"])
    found = explain(Runtime.open(bundle), row)["colour"]
    assert found.contributions == pytest.approx(told["explanation"]["contributions"], abs=1e-4)
    assert {known.row["colour"] for known in found.near} == {row["colour"]}
    assert all(
        job_row["_split"] == "train"
        for job_row in job.task_rows
        if job_row["_key"] in {known.id for known in found.near}
    )


def test_without_the_section_nothing_is_explained_and_with_it_the_gates_task(toys):
    assert explained_tasks(load_scenario(str(toys), overrides=[]).scenario) == ()
    assert explained_tasks(load_scenario(str(toys), overrides=["explain={}"]).scenario) == ("colour",)


def test_surest_and_unsure_rows_are_chosen_one_a_label_first():
    decoder = ClassificationDecoder(problem="multiclass", labels=("a", "b"))
    logits = np.array([[9.0, 0], [8, 0], [0, 4], [7, 0], [0.1, 0], [0, 6], [0.2, 0], [0, 0.3]])
    truth = {"labels": np.array([0, 0, 1, 1, 0, 0, 0, -1])}
    chosen = chosen_rows(decoder, {"logits": logits}, truth, most=6)
    by_reason = {why: [one.place for one in chosen if one.why == why] for why in {one.why for one in chosen}}
    assert by_reason["sure and right"] == [0, 2]
    assert by_reason["sure and wrong"] == [3, 5]
    assert by_reason["unsure"] == [4, 6]


def test_where_nothing_is_wrong_the_other_reasons_get_the_rows():
    decoder = ClassificationDecoder(problem="multiclass", labels=("a", "b"))
    logits = np.array([[9.0, 0], [8, 0], [0.2, 0], [0, 4]])
    chosen = chosen_rows(decoder, {"logits": logits}, {"labels": np.array([0, 0, 0, 1])}, most=4)
    assert len({one.place for one in chosen}) == 4
    assert "sure and wrong" not in {one.why for one in chosen}


def test_of_numbers_the_nearest_and_the_farthest_are_chosen():
    decoder = RegressionDecoder(mean=0.0, deviation=1.0)
    outputs = {"values": np.array([1.0, 2.0, 3.0, 4.0])}
    truth = {"values": np.array([1.1, 5.0, 3.4, np.nan])}
    chosen = chosen_rows(decoder, outputs, truth, most=2)
    assert [(one.place, one.why) for one in chosen] == [(0, "nearest to the truth"), (1, "farthest off")]
