"""From a recipe to strategies, and whole fits under them."""

import shutil

import numpy as np
import pytest

from flows.scenario_file import load_scenario
from flows.stages.climb import Climber
from flows.stages.encoders import loaded_encoder
from flows.stages.fitted import added_weights, encoder_strategy, encoder_weights
from flows.stages.job import Job
from flows.strategies import fit_plans, is_live, strategy_of, strategy_settings
from polyloom.errors import ScenarioError
from releases.runtime import Runtime
from tests.support.stage_runs import fitted, job_for, packaged
from tests.support.toys import write_toys


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    return write_toys(tmp_path_factory.mktemp("toys") / "toys")


def scenario(toys, *overrides):
    return load_scenario(str(toys), overrides=list(overrides)).scenario


def test_a_named_strategy_is_one_fit_with_the_recipes_figures(toys):
    (plan,) = fit_plans(scenario(toys, "recipe.strategy=lora", "recipe.epochs=3"))
    assert (plan.strategy, plan.epochs, plan.batch_size, plan.learning_rate) == ("lora", 3, 16, 0.01)
    assert (plan.encoder_rate("lora"), plan.encoder_rate("full")) == (1e-3, 5e-5)


def test_auto_is_a_fit_a_rung_and_only_frozen_ones_take_the_recipes_figures(toys):
    rungs = "recipe.auto.rungs=[frozen, {strategy: full, epochs: 2, encoder_learning_rate: 0.0003}]"
    frozen, full = fit_plans(scenario(toys, "recipe.strategy=auto", rungs))
    assert (frozen.strategy, frozen.epochs, frozen.batch_size, frozen.learning_rate) == ("frozen", 12, 16, 0.01)
    assert (full.strategy, full.epochs, full.batch_size, full.learning_rate) == ("full", 2, 32, 5e-4)
    assert full.encoder_rate("full") == 3e-4


def test_a_modality_may_have_a_strategy_of_its_own(toys):
    given = scenario(toys, "recipe.strategy=lora", "modalities.image.train=bitfit")
    (plan,) = fit_plans(given)
    assert [strategy_of(given, name, plan) for name in ("image", "text", "price")] == ["bitfit", "lora", "frozen"]
    assert [name for name in given.modalities if is_live(given, name, plan)] == ["image", "text"]


def test_settings_stand_under_their_strategys_name(toys):
    given = scenario(
        toys,
        "recipe.lora={rank: 4, alpha: 8, targets: [query]}",
        "recipe.ia3={targets: [key]}",
        "recipe.prefix={tokens: 5}",
        "recipe.adapter={bottleneck: 3, placement: houlsby}",
        "recipe.blocks=2",
    )
    lora, ia3, prefix, prompt = (strategy_settings(given, "text", name) for name in ("lora", "ia3", "prefix", "prompt"))
    assert (lora.rank, lora.alpha, lora.targets, ia3.targets) == (4, 8.0, ("query",), ("key",))
    assert (prefix.tokens, prompt.tokens) == (5, 16)
    assert (lora.bottleneck, lora.placement, lora.blocks) == (3, "houlsby", 2)


def test_layers_learn_at_one_rate_when_all_start_from_nothing(toys):
    given = scenario(toys, "modalities.image.weights=hub")
    assert strategy_settings(given, "text", "full").layer_decay == 1.0
    assert strategy_settings(given, "image", "full").layer_decay == 0.9
    chosen = scenario(toys, "recipe.layer_decay=0.7")
    assert strategy_settings(chosen, "text", "full").layer_decay == 0.7


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["recipe.strategy=lorra"], "recipe.strategy: 'lorra'"),
        (["modalities.text.train=auto"], "modalities.text.train: 'auto'"),
        (["recipe.strategy=auto", "modalities.text.train=full"], "auto has no encoder to choose for"),
        (["recipe.strategy=auto", "recipe.auto.rungs=[full, frozen]"], "frozen trains the least, so it stands first"),
        (["recipe.strategy=auto", "recipe.auto.rungs=[frozen, full, full]"], "has a strategy twice"),
        (["recipe.strategy=auto", "recipe.auto.rungs=[adapter, full]"], "adapter leaves weights beside the encoder"),
        (["recipe.strategy=full", "recipe.budget_minutes=3"], "only `strategy: auto` keeps to a budget"),
        (["recipe.strategy=lora", "recipe.lora.rank=0"], "recipe.lora.rank"),
    ],
)
def test_what_cannot_be_is_refused(toys, overrides, message):
    with pytest.raises(ScenarioError) as caught:
        scenario(toys, *overrides)
    assert message in str(caught.value)


AUTO = ("recipe.strategy=auto", "recipe.encoder_learning_rate=0.01", "modalities.image.train=frozen")
RUNGS = "recipe.auto.rungs=[{strategy: frozen, epochs: 1}, {strategy: lora, epochs: 2}, {strategy: full, epochs: 2}]"
EAGER = (*AUTO, RUNGS, "tasks.colour.inputs=[text]", "recipe.auto.confidence=0.5")


@pytest.fixture
def eager(monkeypatch):
    """Judges that take every rung, so that the whole ladder is climbed."""
    from heads.bootstrap import Difference

    def gain(**given):
        return Difference(value=0.1, low=0.05, high=0.2)

    monkeypatch.setattr("training.strategies.ladder.paired_difference", gain)


@pytest.mark.slow
def test_auto_climbs_and_its_best_rung_is_released(toys, eager):
    job, epochs = job_for(toys, *EAGER), []
    report = fitted(job, epochs=epochs)
    assert [rung["strategy"] for rung in report["auto"]["rungs"]] == ["frozen", "lora", "full"]
    assert (report["auto"]["best"], report["auto"]["stopped"]) == (2, "full is the last rung")
    assert report["strategies"] == {"text": "full"}
    assert [epoch.epoch for epoch in epochs] == [epoch["epoch"] for epoch in report["history"]] == [1, 2, 3, 4, 5]
    assert 4 <= report["best_epoch"] <= 5
    trained = [rung["trained_parameters"] for rung in report["auto"]["rungs"]]
    assert trained == sorted(trained)
    assert encoder_strategy(job.folder, "text") == "full"
    runtime = Runtime.open(packaged(job))
    (answer,) = runtime.predict([{"title": "a red kite"}])
    assert answer.answers["colour"].label in {"red", "green", "blue"}
    assert "### The ladder of strategies" in (packaged(job) / "card.md").read_text()


@pytest.mark.slow
def test_a_rung_that_is_not_better_leaves_the_encoder_as_it_came(toys):
    job = job_for(toys, *AUTO, "recipe.epochs=12", "recipe.auto.rungs=[frozen, {strategy: bitfit, epochs: 1}]")
    report = fitted(job)
    assert report["auto"]["best"] == 0
    assert report["auto"]["rungs"][1]["reason"].endswith("no significant gain, frozen stays")
    assert report["strategies"] == {}
    assert not encoder_weights(job.folder, "text").exists()


class KilledError(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("killed_in", ["lora", "full"])
def test_a_killed_climb_ends_like_an_undisturbed_one(toys, eager, killed_in, monkeypatch):
    overrides = (*EAGER, "recipe.budget_minutes=600", "recipe.checkpoint_seconds=0")
    job = job_for(toys, *overrides)
    calm = fitted(job)
    expected = {path.name: path.read_bytes() for path in (job.folder / "fitted" / "encoders").iterdir()}
    shutil.rmtree(job.folder)

    from training.fitting import Fitting

    step, fit = Fitting.step, Climber.fit

    def dying(self, group, *, total):
        if self.position.step == 3 and "lora" in str(self.folder) and killed_in == "lora":
            raise KilledError
        step(self, group, total=total)

    def dead(self, rung, *, epochs, start, folder):
        attempt = fit(self, rung, epochs=epochs, start=start, folder=folder)
        if rung.strategy == killed_in == "full":
            raise KilledError
        return attempt

    with monkeypatch.context() as patch:
        patch.setattr(Fitting, "step", dying)
        patch.setattr(Climber, "fit", dead)
        with pytest.raises(KilledError):
            fitted(job)
    resumed = fitted(Job.load(job.ref))
    found = {path.name: path.read_bytes() for path in (job.folder / "fitted" / "encoders").iterdir()}
    assert found == expected
    for one, other in zip(resumed["auto"]["rungs"], calm["auto"]["rungs"], strict=True):
        assert (one["strategy"], one["metric"], one["epochs"]) == (other["strategy"], other["metric"], other["epochs"])
    assert [epoch["train_loss"] for epoch in resumed["history"]] == [epoch["train_loss"] for epoch in calm["history"]]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["lora", "adapter", "prefix"])
def test_what_a_strategy_learned_is_released(toys, strategy):
    job = job_for(
        toys,
        f"recipe.strategy={strategy}",
        "recipe.epochs=1",
        "recipe.encoder_learning_rate=0.05",
        "tasks.colour.inputs=[image, text]",
        "recipe.lora.rank=2",
        "modalities.image.train=last_blocks",
    )
    folder = packaged(job)
    assert added_weights(job.folder, "text").exists() == (strategy != "lora")
    encoder = loaded_encoder(job, "text")
    runtime = Runtime.open(folder)
    arrays = job.preparations["text"](["a red kite", "a blue train"])
    import torch

    with torch.inference_mode():
        expected = encoder.eval()(*(torch.from_numpy(arrays[name]) for name in encoder.reads)).pooled.numpy()
    np.testing.assert_allclose(runtime.encoders["text"](arrays), expected, atol=1e-4)
