import re

import pytest

from releases.card import CardTable, model_card

GIVEN = {
    "scenario": "support",
    "title": "Answers of the help desk",
    "snapshot": "5" * 16,
    "metrics": {"intent": {"accuracy": {"value": 0.91237, "low": 0.9, "high": 0.92}, "ece": 0.031, "rows": 1200}},
    "gate": {"passed": True, "metric": "intent.accuracy", "champion": None, "difference": 0.012},
    "modalities": {"words": {"kind": "text", "model": "a|b", "columns": ("question", "title"), "note": ""}},
    "tasks": {"intent": {"kind": "classification", "classes": 24}},
    "rows": {
        "questions": {"rows_in": 1210, "rows_kept": 1200, "rows_quarantined": 10, "reasons": {"nan": 3, "key": 7}}
    },
    "intended_use": "Sorts questions of a made-up shop.",
    "limits": ["Not for medical questions."],
    "weights_origin": {"words": {"origin": "packaged", "sha256": "abc", "licence": "Apache-2.0"}},
    "seconds": {"fit": 3.25, "export": 1.0},
}


def test_the_card_says_what_it_was_given():
    card = model_card(**GIVEN, digest="d" * 64, data_licence="CC BY 4.0", code_version="0.1.0")
    for line in (
        "# Answers of the help desk",
        "- **Digest:** `" + "d" * 64 + "`",
        "- **Code:** `0.1.0`",
        "| questions | 1,210 | 1,200 | 10 |",
        "Licence of the data: CC BY 4.0.",
        r"| words | kind text, model a\|b, columns question, title |",
        "| intent | kind classification, classes 24 |",
        "Time: fit 3.2 s, export 1.0 s; 4.2 s together.",
        "| intent | accuracy | 0.9124 | 0.9 to 0.92 |",
        "| intent | ece | 0.031 |  |",
        "| passed | yes |",
        "| champion | none |",
        "- Not for medical questions.",
        "| words | origin packaged, sha256 abc | Apache-2.0 |",
        "polyloom predict support --input rows.jsonl --json",
    ):
        assert line in card.splitlines(), line
    assert card.index("| questions | key | 7 |") < card.index("| questions | nan | 3 |")


def test_the_card_claims_nothing_that_it_was_not_given():
    nothing = GIVEN | {
        "metrics": {},
        "gate": None,
        "modalities": {},
        "rows": {"q": {}},
        "intended_use": "",
        "limits": [],
        "weights_origin": {},
        "seconds": {},
    }
    card = model_card(**nothing)
    for line in (
        "Nothing was measured.",
        "This release was not judged by a gate.",
        "Licence of the data: not stated.",
        "| q | unknown | unknown | unknown |",
        "No limits were stated; that does not mean that there are none.",
        "None: everything was learned from the data above.",
    ):
        assert line in card.splitlines(), line
    assert "Digest" not in card
    assert "Time:" not in card


def test_weights_without_licence_say_so_and_figures_without_interval_have_no_column():
    card = model_card(**GIVEN | {"weights_origin": {"words": {"origin": "hub"}}, "metrics": {"intent": {"f1": 0.5}}})
    assert "| words | origin hub | not stated |" in card
    assert "interval" not in card


def worth(intact, removed):
    harmed = {"value": 0.5, "change_low": -0.52, "change_high": -0.29}
    figures = {"metric": "accuracy", "rows": 1100, "intact": intact, "removed": removed}
    return {**figures, "shuffled": harmed, "noised": harmed}


def test_the_card_says_what_each_modality_is_worth():
    harmed = {"value": 0.61, "change_low": -0.3, "change_high": -0.2}
    modalities = {"image": worth(0.9123, harmed), "text": worth(0.9, None)}
    card = model_card(**GIVEN | {"metrics": {"kind": {"accuracy": 0.91, "modalities": modalities}}})
    lines = card.splitlines()
    changed = "0.5 (-0.52 to -0.29)"
    assert f"| kind | image | accuracy | 0.9123 | 0.61 (-0.3 to -0.2) | {changed} | {changed} | 1,100 |" in lines
    assert f"| kind | text | accuracy | 0.9 | no answer | {changed} | {changed} | 1,100 |" in lines
    assert "| kind | accuracy | 0.91 |" in lines
    assert "| kind | modalities" not in card


def test_a_task_that_reads_one_modality_has_no_such_section():
    one = {"kind": {"accuracy": 0.91, "modalities": {"text": worth(0.9, None)}}}
    assert "What each modality is worth" not in model_card(**GIVEN | {"metrics": one})


@pytest.mark.parametrize("metrics", [GIVEN["metrics"], {}])
def test_it_is_well_formed_markdown(metrics):
    card = model_card(**GIVEN | {"metrics": metrics})
    tables = re.findall(r"(?:^\|.*\|$\n?)+", card, flags=re.MULTILINE)
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table
    assert "\n\n\n" not in card
    assert card.endswith("```\n")


def test_the_ladder_of_strategies_stands_there_with_its_end():
    rungs = [{"rung": "frozen", "taken": True, "gain": ""}, {"rung": "full", "taken": False, "gain": "+0.01"}]
    card = model_card(**GIVEN, ladder=rungs, ladder_end="frozen is taken; no significant gain")
    for line in (
        "### The ladder of strategies",
        "| rung | taken | gain |",
        "| full | no | +0.01 |",
        "frozen is taken; no significant gain",
    ):
        assert line in card.splitlines(), line
    assert "ladder" not in model_card(**GIVEN)


def test_tables_about_the_fit_stand_with_their_notes():
    table = CardTable(
        title="The steps", rows=[{"step": "May", "score": 0.5}, {"step": "June", "score": None}], note="So."
    )
    card = model_card(**GIVEN, tables=[table, CardTable(title="Nothing", rows=[])])
    assert "### The steps\n\n| step | score |\n| --- | --- |\n| May | 0.5 |\n| June | none |\n\nSo.\n" in card
    assert "Nothing" not in card
