"""The command line itself: exit codes, messages, and nothing on stdout but the answer."""

import json
import os
import subprocess
import sys

import pytest

from polyloom.errors import GateRefusedError, PolyloomError
from tests.support.command_line import in_process_of_its_own, inside
from tests.support.mlflow_store import copy_store, template

BROKEN = "name: demo\nrecipe: {epohcs: 3}\n"


@pytest.fixture
def polyloom(polyloom_home, tmp_path, tmp_path_factory, monkeypatch):
    """Run a command in this process, in an empty folder on an empty state."""
    monkeypatch.chdir(tmp_path)
    polyloom_home.mkdir()
    copy_store(template(tmp_path_factory), polyloom_home / "mlflow.db")
    return lambda *words: inside(*words, environment={"POLYLOOM_HOME": str(polyloom_home)})


def test_init_and_validate_follow_each_other(polyloom):
    written = polyloom("init", "reviews")
    assert (written.code, written.out) == (0, "Wrote reviews.yaml and reviews.csv. Next: polyloom run reviews.yaml\n")
    valid = polyloom("validate", "reviews.yaml")
    assert valid.code == 0
    assert "valid. Next: polyloom run reviews.yaml" in valid.said
    facts = polyloom("validate", "reviews.yaml", "--set", "recipe.epochs=3", "--json").json
    assert (facts["scenario"], facts["valid"]) == ("reviews", True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["validate", "missing.yaml"], "missing.yaml: no such file. Known are"),
        (["validate", "suport"], "'suport' is neither a file nor a scenario. Did you mean 'support'?"),
        (["validate", "support", "--set", "recipe.epohcs=3"], "recipe.epohcs: unknown key. Did you mean 'epochs'?"),
        (["run", "suport", "--json"], "Did you mean 'support'?"),
        (["run", "support", "--set", "recipe.epochs=none"], "recipe.epochs: 'none' is not a whole number."),
        (["init", "My-App"], "'My-App' is not a scenario's name"),
        (["datasets", "fetch", "banking"], "'banking' is not a known data set. Did you mean 'banking77'?"),
        (["runn", "support"], "Did you mean 'run'?"),
        (["search", "support"], "support"),
        (["predict", "support", "--text", "hello"], "polyloom run support"),
        (["history", "support", "--at", "yesterday"], "yesterday"),
        (["deploy", "support", "--when", "now"], "No such option"),
    ],
)
def test_a_wrong_request_ends_with_2_and_a_message(polyloom, words, message):
    ended = polyloom(*words)
    assert ended.code == 2, ended.said
    assert message in ended.said
    assert ended.out == ""
    assert "Traceback" not in ended.err


def test_a_run_refuses_an_unknown_model_before_it_reads_anything(polyloom, polyloom_home, tmp_path):
    polyloom("init", "demo")
    path = tmp_path / "demo.yaml"
    image = "words: {kind: image, model: resnet81, weights: scratch}"
    text = path.read_text().replace("words: {kind: characters}", image)
    path.write_text(text.replace("text: [text] ", "image: photo\n    text: [text] "))
    for word in ("validate", "run"):
        ended = polyloom(word, "demo.yaml")
        assert ended.code == 2
        assert (
            "demo.yaml: modalities.words.model: 'resnet81' is not a timm model. Did you mean 'resnet18'?" in ended.said
        )
    assert not (polyloom_home / "snapshots").exists()
    assert not (polyloom_home / "prefect").exists()


def test_an_unforeseen_error_is_one_message_and_a_log(polyloom, polyloom_home, monkeypatch):
    def fail(*_words, **_settings):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("flows.templates.write_scenario", fail)
    ended = polyloom("init", "demo")
    assert ended.code == 1
    assert "error: unforeseen ZeroDivisionError: by zero" in ended.err
    log = polyloom_home / "logs" / "last-error.log"
    assert str(log) in ended.said.replace(" ", "") or log.name in ended.said
    assert "Traceback" in log.read_text()


@pytest.mark.parametrize(("error", "code"), [(PolyloomError("it failed"), 1), (GateRefusedError("refused"), 3)])
def test_exit_codes_follow_the_exception_tree(polyloom, monkeypatch, error, code):
    def fail(*_words, **_settings):
        raise error

    monkeypatch.setattr("flows.templates.write_scenario", fail)
    assert polyloom("init", "demo").code == code


def test_nothing_to_go_back_to_is_said_with_what_to_do(polyloom):
    ended = polyloom("rollback", "support")
    assert ended.code == 1
    assert "support: there is no release to go back to" in ended.said
    assert "polyloom promote support VERSION" in ended.said


def test_lists_work_on_an_empty_state(polyloom):
    names = [entry["name"] for entry in polyloom("scenarios", "--json").json]
    assert {"shop", "support", "banking77", "fashion_mnist"} <= set(names)
    assert "banking77" in polyloom("datasets").said
    assert polyloom("history", "support", "--json").json == []


def test_doctor_lists_models_by_a_part_of_their_name(polyloom):
    names = polyloom("doctor", "--models", "resnet18", "--json").json
    assert "resnet18" in names
    assert polyloom("doctor", "--models", "resnet99").said.startswith("No known model has 'resnet99' in its name.")


def test_a_process_of_its_own_ends_with_the_same_codes(tmp_path, polyloom_home):
    (tmp_path / "demo.yaml").write_text(BROKEN)
    environment = {"POLYLOOM_HOME": str(polyloom_home)}
    ended = in_process_of_its_own("run", "demo.yaml", "--json", environment=environment, folder=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: demo.yaml has ")
    assert "recipe.epohcs: unknown key. Did you mean 'epochs'?" in ended.err
    valid = in_process_of_its_own("scenarios", "--json", environment=environment, folder=tmp_path)
    assert valid.code == 0
    assert json.loads(valid.out)


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path):
    command = f"{sys.executable} -m flows.cli scenarios --json | true; echo ${{PIPESTATUS[0]}}"
    own = {**os.environ, "POLYLOOM_HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=own, check=True)
    assert (ended.stdout, ended.stderr) == ("0\n", "")
