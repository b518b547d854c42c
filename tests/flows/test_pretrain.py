"""Encoders that learn before the fit: from a scenario to a release that begins where they ended."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from flows import server
from flows.scenario_file import load_scenario
from flows.stages.job import Job
from flows.stages.pretrained import starting_encoder
from flows.validation import deep_problems
from polyloom.errors import ScenarioError
from polyloom.home import home
from tests.support.command_line import inside, state
from tests.support.lessons import write_lessons
from tests.support.mlflow_store import copy_store, template

released = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def ran(tmp_path_factory, session_server):
    """A way to run commands, the scenario, its state folder, and its first run."""
    folder = tmp_path_factory.mktemp("lessons")
    place = folder / "home"
    place.mkdir()
    uri = copy_store(template(tmp_path_factory), place / "mlflow.db")
    environment = state(place, server=session_server.url, mlflow=uri)

    def run(*words):
        with server.connected(session_server.url):
            return inside(*words, environment=environment)

    path = write_lessons(folder)
    return run, path, place, run("run", path, "--json")


def reports(place, stage):
    return [json.loads(path.read_text()) for path in (place / "runs" / "lessons").glob(f"*/{stage}.json")]


@released
@pytest.mark.slow
def test_losses_fall_and_are_reported(ran):
    _, _, place, ended = ran
    assert ended.code == 0, ended.err
    assert ended.json["seconds"]["pretrain"] > 0
    (report,) = reports(place, "pretrain")
    text, image = report["encoders"]["text"], report["encoders"]["image"]
    assert text["losses"][-1] < text["losses"][0]
    assert image["losses"][-1] < image["losses"][0]
    # The text learns from the training rows of both tables, each distinct text once; the image from its task's alone.
    assert text["rows"] > image["rows"] > 0


@released
@pytest.mark.slow
def test_the_release_holds_the_pretrained_encoders(ran):
    _, _, place, ended = ran
    (report,) = reports(place, "pretrain")
    for name in ("text", "image"):
        folder = place / "cache" / "pretrained" / report["encoders"][name]["key"]
        assert {each.name for each in folder.iterdir()} == {"encoder.safetensors", "pretraining.json"}
    facts = json.loads((Path(ended.json["bundle"]) / "application.json").read_text())
    digests = {name: entry["digest"] for name, entry in facts["modalities"].items()}
    assert len(set(digests.values())) == 2


@released
@pytest.mark.slow
def test_what_was_learned_before_is_not_learned_again(ran):
    run, path, place, first = ran
    ended = run("run", path, "--set", "recipe.epochs=2", "--json")
    assert ended.code == 0, ended.err
    one, other = reports(place, "pretrain")
    assert one == other
    assert len(list((place / "cache" / "pretrained").iterdir())) == 2
    assert ended.json["embedded"] == dict.fromkeys(first.json["embedded"], 0)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("pretrain.words={}", "pretrain.words: 'words' is not there"),
        ("pretrain.text.rows=[nowhere]", "pretrain.text.rows: 'nowhere' is not there"),
        (
            "pretrain.text.kind=denoising",
            "pretrain.text.kind: 'denoising' is not for text. Allowed: masked_language, contrastive.",
        ),
        ("pretrain.image.unit=word", "pretrain.image.unit: means nothing to a modality of kind image"),
        ("pretrain.text.noise=0.1", "pretrain.text.noise: means nothing to a modality of kind text"),
        ("pretrain.text.mask=1", "pretrain.text.mask: 1 is too large"),
        ("pretrain.text.steps=1", "pretrain.text.steps: unknown key"),
    ],
)
def test_what_cannot_be_is_told_by_its_place(tmp_path, override, message):
    path = write_lessons(tmp_path)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(str(path), overrides=[override])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("modalities.text.vocabulary=nowhere.txt", "modalities.text.weights: weights 'nowhere.txt' of 'vocabulary'"),
        ("modalities.text.weights=hub", "'hub' come with a vocabulary of their own"),
    ],
)
def test_a_vocabulary_must_be_there_and_wanted(tmp_path, override, message):
    path = write_lessons(tmp_path)
    (problem,) = deep_problems(load_scenario(str(path), overrides=[override]))
    assert message in problem


def test_the_fit_begins_where_pretraining_ended(tmp_path, monkeypatch):
    from safetensors.torch import save_file

    from flows.assembly import build_encoder

    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path / "home"))
    path = write_lessons(tmp_path)
    job = Job(ref={"fingerprint": "f" * 16}, scenario=load_scenario(str(path)).scenario)
    plain = build_encoder(job.scenario.modalities["text"], seed=job.scenario.recipe.seed)
    assert all(
        torch.equal(a, b) for a, b in zip(plain.parameters(), starting_encoder(job, "text").parameters(), strict=True)
    )
    weights = home() / "cache" / "pretrained" / "k" / "encoder.safetensors"
    weights.parent.mkdir(parents=True)
    save_file({name: tensor + 1.0 for name, tensor in plain.state_dict().items()}, weights)
    job.finish("pretrain", {"encoders": {"text": {"key": "k"}}})
    for name, tensor in starting_encoder(job, "text").state_dict().items():
        assert torch.equal(tensor, load_file(weights)[name])
