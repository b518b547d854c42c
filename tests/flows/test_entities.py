"""Entities from a table of words and tags to released answers."""

import json

import pytest

from flows import server
from flows.scenario_file import load_scenario
from polyloom.errors import ScenarioError
from tests.support.command_line import inside, state
from tests.support.mlflow_store import copy_store, template
from tests.support.sentences import write_sentences

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def ran(tmp_path_factory, session_server):
    """A way to run commands, the scenario's folder, and its first run."""
    folder = tmp_path_factory.mktemp("sentences")
    home = folder / "home"
    home.mkdir()
    uri = copy_store(template(tmp_path_factory), home / "mlflow.db")
    environment = state(home, server=session_server.url, mlflow=uri)

    def run(*words):
        with server.connected(session_server.url):
            return inside(*words, environment=environment)

    path = write_sentences(folder)
    return run, folder, run("run", path, "--json")


def test_entities_are_learned_and_released(ran):
    _, _, ended = ran
    assert ended.code == 0, ended.err
    figures = ended.json["metrics"]["lost"]
    assert figures["f1"] > 0.95
    assert {"precision", "recall", "f1_CARD", "f1_THING", "word_accuracy", "ece"} <= set(figures)
    assert ended.json["status"] == "released"
    assert ended.json["gate"]["metric"] == "lost.f1"


def test_a_text_is_answered_with_its_entities_and_their_places(ran):
    run, _, _ = ran
    text = "Lost my  red hats. The card?"
    ended = run("predict", "sentences", "--text", text, "--json")
    (prediction,) = ended.json["predictions"]
    answer = prediction["answers"]["lost"]
    found = [(part["label"], part["text"], part["start"], part["end"]) for part in answer["parts"]]
    assert found == [("THING", "red hats", 9, 17), ("CARD", "card", 23, 27)]
    assert all(text[part["start"] : part["end"]] == part["text"] for part in answer["parts"])
    assert all(0.5 < part["probability"] <= 1.0 for part in answer["parts"])
    assert answer["label"] == "THING, CARD"


def test_people_read_the_entities_in_the_table(ran):
    run, _, _ = ran
    assert "THING: red hat " in run("predict", "sentences", "--text", "lost my red hat .").out


def test_lists_of_words_are_answered_too(ran):
    run, folder, _ = ran
    rows = folder / "rows.jsonl"
    rows.write_text(json.dumps({"words": ["退", "款", "blue", "shoe", "吗"]}) + "\n", encoding="utf-8")
    ended = run("predict", "sentences", "--input", rows, "--json")
    (part,) = ended.json["predictions"][0]["answers"]["lost"]["parts"]
    assert (part["label"], part["text"], part["start"], part["end"]) == ("THING", "blue shoe", 4, 13)


def test_a_second_run_is_judged_against_the_first(ran):
    run, folder, first = ran
    ended = run("run", folder / "sentences.yaml", "--set", "tasks.lost.scheme=BIOES", "--json")
    assert ended.code in {0, 3}, ended.err
    assert ended.json["gate"]["champion_value"] == pytest.approx(first.json["gate"]["challenger_value"])


def test_words_beyond_the_encoders_reach_are_said(ran):
    run, folder, _ = ran
    ended = run("run", folder / "sentences.yaml", "--set", "modalities.text.max_tokens=6", "--set", "recipe.epochs=1")
    assert ended.code in {0, 3}, ended.err
    assert "words of" in ended.err
    assert "stay unlabelled: they lie beyond max_tokens (6)" in ended.err


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("modalities.text.form=text", "'words' is declared as tokens, a list of words. Write `form: words`"),
        ("modalities.text.columns=[tags]", "tasks.lost.inputs: 'text' reads the target 'tags' itself"),
        ("data.sentences.columns.tags=category", "'tags' is declared as category; entities are learned from tokens"),
        ("tasks.lost.scheme=BILOU", "tasks.lost.scheme: 'BILOU' is not known."),
        ("gate.metric=lost.accuracy", "gate.metric: 'accuracy' is not there"),
        ("modalities.text.form=wordy", "modalities.text.form: 'wordy' is not known. Did you mean 'words'?"),
    ],
)
def test_what_cannot_be_is_told_by_its_place(tmp_path, override, message):
    path = write_sentences(tmp_path)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(str(path), overrides=[override])
    assert message in str(caught.value)
