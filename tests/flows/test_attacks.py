"""From what a scenario says of attacks to fits and figures."""

import numpy as np
import pytest

from flows.report import harmed_lines
from flows.scenario_file import load_scenario
from flows.stages.evaluate import evaluate
from flows.stages.export import export_graphs
from flows.stages.material import Material
from flows.stages.robustness import drawn
from flows.strategies import fit_plans
from flows.train import harmed_figures
from polyloom.errors import ScenarioError
from polyloom.progress import SILENT
from releases.card import model_card
from tests.support.stage_runs import fitted, job_for
from tests.support.toys import write_toys

FGSM = "recipe.adversarial={kind: fgsm, epsilon: 0.02}"


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    return write_toys(tmp_path_factory.mktemp("toys") / "toys")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["recipe.adversarial={kind: fgsm, epsilon: -1}"], "recipe.adversarial.epsilon"),
        (["recipe.adversarial={kind: fgn, epsilon: 1}"], "recipe.adversarial.kind: 'fgn'"),
        (
            ["recipe.adversarial={kind: fgm, epsilon: 1}"],
            "the encoder of 'text' is frozen: its vectors are computed once",
        ),
        (
            ["recipe.adversarial={kind: pgd, epsilon: 1, modality: text}"],
            "the encoder of 'text' is frozen: its vectors are computed once",
        ),
        (
            ["recipe.adversarial={kind: fgm, epsilon: 1, modality: image}"],
            "recipe.adversarial.kind: fgm attacks a text encoder, and 'image' is of kind image",
        ),
        (["recipe.adversarial={kind: pgd, epsilon: 1, modality: imag}"], "recipe.adversarial.modality: .*'image'"),
        (
            ["recipe.adversarial={kind: pgd, epsilon: 1}", "modalities.text.train=full"],
            "pgd could attack image, text; name one, for example `image`",
        ),
        ([FGSM, "recipe.compile=true"], "an encoder that is attacked is not compiled"),
        (["robustness={typos: 0.1}", "gate.metric=cheap.accuracy"], "'cheap' reads no modality of kind text"),
        (["robustness={noise: 0.1}", "gate.metric=tags.micro_f1"], "'tags' reads no modality of kind image"),
        (
            ["robustness={attack: {kind: pgd, epsilon: 0.1}}"],
            "robustness.attack.modality: pgd could attack image, text; name one",
        ),
        (
            ["tasks.colour.loss=focal", "recipe.label_smoothing=0.1"],
            "tasks.colour.loss: focal takes a row's label as it is",
        ),
        (
            ["tasks.colour.loss=focal", "tasks.colour.hierarchy={red: warm, green: cold, blue: cold}"],
            "focal and hierarchy_loss 'hxe' each stand instead of cross-entropy",
        ),
        (["modalities.text.form=words", "modalities.text.augment=swap"], "modalities.text.augment: 'swap' moves words"),
    ],
)
def test_what_cannot_be_attacked_or_measured_is_refused(toys, overrides, message):
    with pytest.raises(ScenarioError, match=message):
        load_scenario(str(toys), overrides=overrides)


def test_only_rungs_that_train_the_encoder_are_attacked(toys):
    job = job_for(toys, "recipe.strategy=auto", "recipe.adversarial={kind: fgm, epsilon: 1}")
    frozen, full = fit_plans(job.scenario)
    from flows.stages.embed import embed_frozen
    from flows.stages.prepare import prepare

    prepare(job, progress=SILENT)
    embed_frozen(job, progress=SILENT)
    material = Material(job, progress=SILENT)
    assert material.ready(frozen, folder=job.folder / "a").fitting.adversary is None
    attacked = material.ready(full, folder=job.folder / "b").fitting.adversary
    assert (attacked.attack.kind, attacked.place.name, attacked.weight) == ("fgm", "text", 0.5)


def test_with_epsilon_0_nothing_attacks(toys):
    job = job_for(toys, "recipe.adversarial={kind: fgsm, epsilon: 0}", "recipe.epochs=1")
    fitted(job)
    (plan,) = fit_plans(job.scenario)
    assert Material(job, progress=SILENT).ready(plan, folder=job.folder / "c").fitting.adversary is None


def test_a_run_reports_the_gates_metric_under_every_harm(toys):
    asked = "robustness={attack: {kind: fgsm, epsilon: 0.5}, typos: 0.5, noise: 0.3, blur: 2, rows: 5}"
    job = job_for(
        toys, FGSM, "modalities.text.train=full", "modalities.text.augment=delete_swap", "recipe.epochs=6", asked
    )
    fitted(job)
    export_graphs(job, progress=SILENT)
    metrics = evaluate(job, progress=SILENT)["metrics"]
    assert [task for task, figures in metrics.items() if "robustness" in figures] == ["colour"]
    found = metrics["colour"]["robustness"]
    assert (found["metric"], found["rows"]) == ("accuracy", 5)
    for harm in ("attack", "typos", "noise", "blur"):
        one = found[harm]
        assert 0 <= one["value"] <= 1
        assert one["change_low"] <= one["value"] - found["intact"] + 1e-9
        assert one["value"] - found["intact"] <= one["change_high"] + 1e-9
    assert found["attack"]["value"] <= found["intact"]
    assert harmed_figures(metrics)["colour.under_attack"] == found["attack"]["value"]
    (line,) = harmed_lines(metrics)
    assert line.startswith("attack ")
    assert "blur" in line


def test_without_the_section_nothing_is_measured(toys):
    job = job_for(toys, "recipe.epochs=1")
    fitted(job)
    export_graphs(job, progress=SILENT)
    metrics = evaluate(job, progress=SILENT)["metrics"]
    assert not any("robustness" in figures for figures in metrics.values())
    assert harmed_lines(metrics) == []


def test_rows_are_drawn_the_same_every_time():
    rows = np.arange(50, 90)
    assert (drawn(rows, most=10, seed=3) == drawn(rows, most=10, seed=3)).all()
    assert len(drawn(rows, most=10, seed=3)) == 10
    assert (drawn(rows, most=99, seed=3) == rows).all()


def test_the_card_tells_it():
    harm = {"value": 0.5, "change_low": -0.5, "change_high": -0.3}
    metrics = {"kind": {"accuracy": 0.9, "robustness": {"metric": "accuracy", "rows": 8, "intact": 0.9, "typos": harm}}}
    card = model_card(
        scenario="s",
        title="S",
        snapshot="x",
        metrics=metrics,
        gate=None,
        modalities={},
        tasks={},
        rows={},
        intended_use="",
        limits=(),
        weights_origin={},
        seconds={},
    )
    assert "## Under attack, with typos, noise and blur" in card
    assert "| kind | accuracy | 0.9 | typos | 0.5 (-0.5 to -0.3) | 8 |" in card
