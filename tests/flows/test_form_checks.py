"""Texts whose form does not fit their columns, their task or the index."""

import pytest

from flows.scenario_checks import problems
from flows.spec import Scenario

ROWS = {
    "kind": "table",
    "path": "rows.jsonl",
    "text": ["question", "context"],
    "columns": {"answers": "labels", "at": "number", "a": "number", "b": "number", "relation": "category"},
}
TEXT = {"kind": "text", "model": "m"}
SPAN = {
    "modalities": {"pair": {**TEXT, "form": "pair"}},
    "tasks": {"answer": {"kind": "span", "target": "answers", "start": "at"}},
    "gate": {"metric": "answer.exact_match"},
}
RELATION = {
    "modalities": {"text": {**TEXT, "form": "marked", "columns": ["context"]}},
    "tasks": {"how": {"kind": "relation", "target": "relation"}},
    "gate": {"metric": "how.directed_macro_f1"},
}


def told(content):
    return problems(Scenario.model_validate({"name": "it", "title": "It", "data": {"rows": ROWS}, **content}))


@pytest.mark.parametrize("content", [SPAN, RELATION], ids=["span", "relation"])
def test_a_form_that_fits_has_no_problems(content):
    assert told(content) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {**SPAN, "modalities": {"pair": {**TEXT, "form": "pair", "columns": ["context"]}}},
            "modalities.pair.columns: form pair reads a question and its context, here are ['context'] of data.rows.",
        ),
        (
            {**SPAN, "modalities": {"text": TEXT}},
            (
                "tasks.answer.inputs: a span reads exactly one text of form pair, here are ['text']. "
                "Name it in `inputs`, and give it `form: pair`."
            ),
        ),
        (
            {**SPAN, "modalities": {**SPAN["modalities"], "words": {"kind": "characters"}}},
            (
                "tasks.answer.inputs: a span reads exactly one text of form pair, here are ['pair', 'words']. "
                "Name it in `inputs`, and give it `form: pair`."
            ),
        ),
        (
            {**SPAN, "tasks": {"answer": {"kind": "span", "target": "answers", "start": "relation"}}},
            "tasks.answer.start: 'relation' is not declared as number.",
        ),
        (
            {**SPAN, "tasks": {"answer": {"kind": "span", "target": "relation"}}},
            (
                "tasks.answer.target: 'relation' is declared as category; answers are labels: a list of the accepted "
                "ones, empty where there is no answer."
            ),
        ),
        (
            {**SPAN, "index": {"rows": "rows", "embed": ["pair"]}},
            "index.embed: 'pair' has the form pair, which no words can be searched by; leave it out.",
        ),
        (
            {**RELATION, "modalities": {"text": {**TEXT, "form": "marked"}}},
            (
                "modalities.text.columns: form marked reads one text with two marked stretches, here are "
                "['question', 'context'] of data.rows."
            ),
        ),
        (
            {**RELATION, "modalities": {"text": {**RELATION["modalities"]["text"], "ranges": ["a", "b", "relation"]}}},
            (
                "modalities.text.ranges: ['a', 'b', 'relation'] are not four columns of kind number in data.rows: "
                "start of the first stretch, its end, start of the second stretch, its end."
            ),
        ),
        ({**RELATION, "gate": {"metric": "how.f1"}}, "gate.metric: 'f1' is not there."),
    ],
)
def test_a_form_that_does_not_fit_is_named(content, message):
    assert any(line.startswith(message) for line in told(content)), told(content)
