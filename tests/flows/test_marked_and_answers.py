"""Relations and spans through the whole line: learned, released, asked, judged again."""

import json

import pytest

from flows import server
from tests.support.command_line import inside, state
from tests.support.marked_toys import ROWS, write_answers, write_relations
from tests.support.mlflow_store import copy_store, template

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("tokens")


@pytest.fixture(scope="module")
def polyloom(place, session_server, tmp_path_factory):
    """Run commands in this process, on a state folder of this module."""
    home = place / "home"
    home.mkdir()
    uri = copy_store(template(tmp_path_factory), home / "mlflow.db")
    environment = state(home, server=session_server.url, mlflow=uri)

    def run(*words):
        with server.connected(session_server.url):
            return inside(*words, environment=environment)

    return run


@pytest.fixture(scope="module")
def related(place, polyloom):
    path = write_relations(place / "relations")
    ended = polyloom("run", path, "--json")
    assert ended.code == 0, ended.err
    return path, ended.json


@pytest.fixture(scope="module")
def answered(place, polyloom):
    path = write_answers(place / "answers")
    ended = polyloom("run", path, "--json")
    assert ended.code == 0, ended.err
    return path, ended.json


def test_relations_are_learned_and_released(related):
    _, result = related
    assert result["release"]["alias"] == "champion"
    assert result["metrics"]["relation"]["directed_macro_f1"] == 1.0
    assert result["metrics"]["relation"]["accuracy"] == 1.0


def test_a_row_without_marks_goes_to_quarantine(related, polyloom):
    _, result = related
    assert (result["snapshot"]["rows_kept"], result["snapshot"]["rows_quarantined"]) == (ROWS, 1)
    listed = polyloom("quarantine", "relations", "list", "--json")
    assert "does not mark <e1>…</e1>" in listed.out


def test_a_marked_text_is_asked_by_words(related, polyloom):
    asked = polyloom("predict", "relations", "--text", "a lost <e1>hat</e1> the my <e2>card</e2>", "--json")
    answer = asked.json["predictions"][0]["answers"]["relation"]
    assert answer["label"] == "Fits(e2,e1)"
    refused = polyloom("predict", "relations", "--text", "lost hat")
    assert refused.code == 2
    assert "Mark both stretches once" in refused.err


def test_answers_are_found_and_their_absence_noticed(answered):
    _, result = answered
    figures = result["metrics"]["answer"]
    assert figures["exact_match"] >= 0.95
    assert figures["unanswerable_accuracy"] >= 0.9
    assert figures["answers_not_in_context"] == 0


def test_a_question_is_asked_with_its_context(answered, polyloom, tmp_path):
    context = f"{'the hat ' * 9}my blue shoe {'a card ' * 9}"
    rows = [{"q": "?", "context": context}, {"q": "?", "context": "the hat"}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = polyloom("predict", "answers", "--input", tmp_path / "rows.jsonl", "--json")
    found, none = (one["answers"]["answer"] for one in asked.json["predictions"])
    (part,) = found["parts"]
    assert found["label"] == part["text"] == "blue"
    assert context[part["start"] : part["end"]] == "blue"
    assert (none["label"], none["parts"]) == ("", [])
    alone = polyloom("predict", "answers", "--text", "blue?")
    assert alone.code == 2
    assert "Give a row with its columns instead" in alone.err


def test_a_second_recipe_is_judged_against_the_first(answered, polyloom):
    path, _ = answered
    again = polyloom("run", path, "--set", "recipe.epochs=13", "--json")
    assert again.code in {0, 3}, again.err
    assert again.json["release"]["version"] == "2"
