"""From what a recipe says of averages, consistency and augmentation to fits."""

import numpy as np
import pytest

from flows.scenario_file import load_scenario
from flows.stages.embed import embed_frozen
from flows.stages.fitted import save_fitted
from flows.stages.material import Material
from flows.stages.prepare import prepare
from flows.strategies import fit_plans
from polyloom.errors import ScenarioError
from polyloom.home import home
from polyloom.progress import SILENT
from tests.support.stage_runs import fitted, job_for
from tests.support.tiny_models import write_bert
from tests.support.tiny_writers import write_marian, write_masked_bert
from tests.support.toys import write_toys

FULL = "modalities.image.train=full"


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    return write_toys(tmp_path_factory.mktemp("toys") / "toys")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["recipe.average={kind: emma}"], "recipe.average: kind 'emma' is not known. Did you mean 'ema'?"),
        (["recipe.average={kind: ema, decay: 1}"], "recipe.average.*decay"),
        (
            ["recipe.average={kind: swa, start: 9}", "recipe.epochs=3"],
            "recipe.average.start: 9 is behind the last of 3 epochs",
        ),
        (
            ["recipe.average={kind: interpolation}", "modalities.image.train=frozen"],
            "none is trained by full, last_blocks, bitfit",
        ),
        (
            ["recipe.average={kind: interpolation}", FULL, "modalities.image.weights=scratch"],
            "'image' begins with random numbers. Take ema, swa or soup",
        ),
        (["recipe.r_drop=-1"], "recipe.r_drop"),
        (
            ["recipe.r_drop=1", "recipe.adversarial={kind: fgsm, epsilon: 0.1}", FULL],
            "recipe.r_drop: a step passes either twice",
        ),
        (
            ["modalities.text.variants={kind: words}", "modalities.text.form=words"],
            "modalities.text.variants: other words, which the truth of a text of form 'words' could not follow",
        ),
        (
            ["modalities.text.augment=swap", "modalities.text.train=frozen"],
            r"modalities.text.augment: the encoder of 'text' is frozen.*Write `variants: \{kind: words\}`",
        ),
        (
            ["modalities.image.erase=0.5", "modalities.image.train=frozen"],
            "modalities.image.erase: the encoder of 'image' is frozen.*Write `train: full`",
        ),
        (["tasks.tags.class_weights=effective"], "tasks.tags.class_weights: 'effective' counts rows of one label each"),
    ],
)
def test_what_cannot_be_is_refused(toys, overrides, message):
    with pytest.raises(ScenarioError, match=message):
        load_scenario(str(toys), overrides=overrides)


def from_weights(folder):
    """The text's encoder with weights to begin from."""
    return ["modalities.text.model=bert", f"modalities.text.weights={write_bert(folder / 'bert')}"]


def test_r_drop_needs_labels(tmp_path):
    from tests.support.street import write_street

    scenario = write_street(tmp_path)
    with pytest.raises(ScenarioError, match=r"recipe.r_drop: it compares probabilities of labels, and no task"):
        load_scenario(str(scenario), overrides=["recipe.r_drop=1"])


@pytest.mark.parametrize("kind", ["randaugment", "trivialaugment", "augmix"])
def test_a_detectors_boxes_do_not_follow_a_policy(kind, tmp_path):
    from tests.support.street import write_street

    scenario = write_street(tmp_path)
    with pytest.raises(ScenarioError, match=f"boxes do not follow '{kind}'. Under a detector use none, flip or scene"):
        load_scenario(str(scenario), overrides=[f"modalities.photo.augment={kind}"])
    with pytest.raises(ScenarioError, match=r"photo.erase: a rectangle would hide objects whose boxes stay"):
        load_scenario(str(scenario), overrides=["modalities.photo.erase=0.2"])


@pytest.mark.parametrize(
    ("average", "told"),
    [
        ("{kind: ema, decay: 0.9}", None),
        ("{kind: swa, start: 2}", None),
        ("{kind: soup}", {"kind", "epochs"}),
        ("{kind: interpolation}", {"kind", "share", "metrics"}),
    ],
)
def test_every_average_goes_through_a_run(toys, tmp_path, average, told):
    overrides = [*from_weights(tmp_path), "modalities.text.train=full", "modalities.image.train=frozen"]
    job = job_for(toys, f"recipe.average={average}", "recipe.epochs=3", *overrides)
    report = fitted(job)
    assert set(report.get("averaged", {})) == (told or set())
    assert len(report["history"]) == 3


def test_a_ladder_goes_back_towards_the_rung_before(toys, tmp_path):
    job = job_for(
        toys,
        "recipe.strategy=auto",
        "recipe.average={kind: interpolation}",
        "modalities.image.train=frozen",
        "recipe.auto.rungs=[frozen, {strategy: full, epochs: 1}]",
        "recipe.epochs=1",
        *from_weights(tmp_path),
    )
    prepare(job, progress=SILENT)
    embed_frozen(job, progress=SILENT)
    material = Material(job, progress=SILENT)
    frozen, full = fit_plans(job.scenario)
    below = job.folder / "a"
    ready = material.ready(frozen, folder=below)
    assert ready.fitting.combination is None
    ready.fitting.run()
    save_fitted(below, ready.fitting.model, material.targets, ready.tunings)
    begun = material.ready(full, folder=job.folder / "b", start=below).fitting
    begun.combination.begin(begun.model)
    moving = set(begun.combination._begin)
    assert any(name.startswith("encoders.") for name in moving)
    assert any(name.startswith("tasks.") for name in moving)


def test_r_drop_compares_the_tasks_that_have_labels(toys):
    job = job_for(toys, "recipe.r_drop=2", "recipe.epochs=2")
    report = fitted(job)
    assert len(report["history"]) == 2
    (plan,) = fit_plans(job.scenario)
    found = Material(job, progress=SILENT).ready(plan, folder=job.folder / "c").fitting.consistency
    assert found.weight == 2
    assert found.tasks["colour"] is True
    assert found.tasks["tags"] is False


def test_effective_weights_reach_the_head(toys):
    job = job_for(toys, "tasks.colour.class_weights=effective", "tasks.colour.beta=0.9", "recipe.epochs=1")
    fitted(job)
    (plan,) = fit_plans(job.scenario)
    fitting = Material(job, progress=SILENT).ready(plan, folder=job.folder / "c").fitting
    weights = fitting.model.tasks["colour"].head.class_weights
    labels = fitting.targets["colour"].truth["labels"][job.split("train", task="colour")]
    counts = np.bincount(labels[labels >= 0])
    assert float(weights.mean()) == pytest.approx(1.0)
    assert np.argmax(weights.numpy()) == np.argmin(counts)


@pytest.mark.parametrize(
    ("kind", "train"), [("words", "frozen"), ("words", "full"), ("masked", "frozen"), ("back_translation", "full")]
)
def test_wordings_of_training_rows_alone_are_drawn(toys, tmp_path, kind, train):
    models = {
        "words": "{kind: words, copies: 2}",
        "masked": f"{{kind: masked, model: bert, weights: {write_masked_bert(tmp_path / 'masked')}, copies: 2}}",
        "back_translation": (
            f"{{kind: back_translation, there: {write_marian(tmp_path / 'there')}, "
            f"back: {write_marian(tmp_path / 'back', seed=1)}, copies: 2}}"
        ),
    }
    job = job_for(toys, f"modalities.text.variants={models[kind]}", f"modalities.text.train={train}", "recipe.epochs=1")
    fitted(job)
    (plan,) = fit_plans(job.scenario)
    given = Material(job, progress=SILENT).inputs(plan)["text"]
    training, others = job.split("train"), np.concatenate([job.split("validation"), job.split("test")])
    if train == "frozen":
        assert given.variants.shape == (2, *given.vectors.shape)
        np.testing.assert_array_equal(given.variants[:, others], np.stack([given.vectors[others]] * 2))
        assert (given.variants[:, training] != given.vectors[training]).any()
    else:
        own, *copies = given.source._wordings
        assert len(copies) == 2
        assert all(copy[row] == own[row] for copy in copies for row in others)
        assert any(copy[row] != own[row] for copy in copies for row in training)


def test_wordings_are_written_once_for_all_runs(toys, monkeypatch):
    text = "modalities.text.variants={kind: words, copies: 3}"
    fitted(job_for(toys, text, "recipe.epochs=1"))
    before = sorted((home() / "cache" / "wordings").rglob("*.json"))
    from flows.stages import wordings

    def never(*_, **__):
        raise AssertionError

    monkeypatch.setattr(wordings, "build_rewriter", never)
    fitted(job_for(toys, text, "recipe.epochs=2"))
    assert sorted((home() / "cache" / "wordings").rglob("*.json")) == before
