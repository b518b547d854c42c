"""`polyloom predict --explain`."""

import pytest

from tests.support.command_line import inside
from tests.support.small_bundle import picture_of, release_small_bundle


@pytest.fixture(scope="module")
def predict(tmp_path_factory):
    """Run `polyloom predict` over a state folder with one release."""
    home = tmp_path_factory.mktemp("explained") / "home"
    release_small_bundle(home)
    environment = {"POLYLOOM_HOME": str(home), "MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}"}
    return lambda *words: inside("predict", *words, environment=environment)


def test_reasons_come_as_json(predict, tmp_path):
    (tmp_path / "lamp.png").write_bytes(picture_of("p04"))
    ended = predict("shop", "--text", "绿色 desk lamp", "--image", tmp_path / "lamp.png", "--explain", "--json")
    assert ended.code == 0, ended.said
    (prediction,) = ended.json["predictions"]
    found = prediction["explanations"]["category"]
    assert found["label"] == prediction["answers"]["category"]["label"] == "lamp"
    assert found["base"] + sum(found["contributions"].values()) == pytest.approx(found["score"])
    words, picture = found["evidence"]
    assert [word["text"] for word in words["words"]] == ["绿", "色", "desk", "lamp"]
    assert len(picture["cells"]) == 7
    assert found["near"][0]["label"] == "lamp"


def test_reasons_come_as_lines_below_the_answers(predict):
    ended = predict("shop", "--text", "Red wall clock", "--explain")
    assert "row 1, category: 'clock' scores" in ended.out
    assert "like it clock (chars" in ended.said


def test_without_it_there_are_none(predict):
    (prediction,) = predict("shop", "--text", "Red wall clock", "--json").json["predictions"]
    assert set(prediction) == {"answers", "missing"}
