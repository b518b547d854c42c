"""A detector from pictures with boxes to released answers."""

import numpy as np
import pytest

from flows import server
from flows.scenario_file import load_scenario
from flows.validation import deep_problems
from polyloom.errors import ScenarioError
from tests.support.command_line import inside, state
from tests.support.mlflow_store import copy_store, template
from tests.support.street import COLOURS, street, write_street
from tests.support.tiny_models import png

PATHS = "data.photos.columns={boxes: boxes, path: category}"


@pytest.fixture(scope="module")
def ran(tmp_path_factory, session_server):
    """A way to run commands, the scenario, its first run, and where the state lies."""
    folder = tmp_path_factory.mktemp("street")
    home = folder / "home"
    home.mkdir()
    uri = copy_store(template(tmp_path_factory), home / "mlflow.db")
    environment = state(home, server=session_server.url, mlflow=uri)

    def run(*words):
        with server.connected(session_server.url):
            return inside(*words, environment=environment)

    path = write_street(folder)
    return run, path, run("run", path, "--json"), home


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_toys_are_found_and_the_run_says_how_well(ran):
    _, _, ended, _ = ran
    assert ended.code == 0, ended.err
    figures = ended.json["metrics"]["toys"]
    assert figures["map_50"] > 0.6
    assert figures["map_50"] == pytest.approx((figures["ap_50_red"] + figures["ap_50_blue"]) / 2)
    assert figures["map_50_95"] < figures["map_50"]
    assert figures["rows"] == 12
    assert ended.json["gate"]["challenger_value"] == pytest.approx(figures["map_50"], abs=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_picture_is_answered_with_boxes_in_its_own_pixels(ran, tmp_path):
    run, _, _, _ = ran
    pixels, lines = street(np.random.default_rng(9))
    (tmp_path / "new.png").write_bytes(png(pixels))
    ended = run("predict", "street", "--image", tmp_path / "new.png", "--json")
    assert ended.code == 0, ended.err
    (prediction,) = ended.json["predictions"]
    parts = prediction["answers"]["toys"]["parts"]
    for line in lines:
        label, x, y, _, _ = map(float, line.split())
        height, width = pixels.shape[:2]
        name = list(COLOURS)[int(label)]
        around = [part["box"] for part in parts if part["label"] == name]
        assert any(left < x * width < right and top < y * height < bottom for left, top, right, bottom in around)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_release_holds_its_pictures(ran):
    _, _, _, home = ran
    (release,) = (home / "releases" / "street").iterdir()
    drawn = {path.name for path in (release / "pictures").iterdir()}
    assert drawn >= {"toys_found.png", "toys_precision_recall.png", "toys_reliability.png", "learning_curve.png"}


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_second_run_is_judged_against_the_first(ran):
    run, path, first, _ = ran
    ended = run("run", path, "--set", "recipe.epochs=1", "--set", "recipe.seed=9", "--json")
    assert ended.code == 3, ended.err
    gate = ended.json["gate"]
    assert gate["champion_value"] == pytest.approx(first.json["gate"]["challenger_value"])
    assert gate["challenger_value"] < gate["champion_value"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["gate.metric=toys.accuracy"], "gate.metric: 'accuracy' is not there"),
        (["modalities.photo.augment=crop_flip"], "modalities.photo.augment: boxes do not follow 'crop_flip'"),
        ([PATHS, "tasks.toys.target=path"], "a detector learns from boxes"),
        (["tasks.more={kind: detection, target: boxes}"], "tasks.more.inputs: 'photo' has the detector 'toys' already"),
        (["modalities.other={kind: characters}", "data.photos.text=[path]"], "a detector looks at one modality"),
        (
            [
                PATHS,
                "tasks.where={kind: classification, target: path}",
                "modalities.photo.augment=scene",
            ],
            "modalities.photo.augment: 'scene' mixes pictures, so it is for pictures that only a detector reads",
        ),
        (["tasks.toys.width=20"], "tasks.toys.width: 20"),
    ],
)
def test_what_cannot_be_is_told_by_its_place(tmp_path, overrides, message):
    path = write_street(tmp_path)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(str(path), overrides=overrides)
    assert message in str(caught.value)


def test_a_model_without_maps_is_refused_before_any_work(tmp_path):
    path = write_street(tmp_path)
    loaded = load_scenario(str(path), overrides=["modalities.photo.model=mixer_s32_224"])
    assert any(
        "modalities.photo.model: 'mixer_s32_224' gives no feature maps" in line for line in deep_problems(loaded)
    )
