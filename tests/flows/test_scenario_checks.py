"""Names in a scenario that lead nowhere, although each section alone is right."""

import re

import pytest

from flows.cron_expression import cron_mistake
from flows.scenario_checks import problems
from flows.scenario_columns import modality_columns, task_rows
from flows.spec import Scenario

TOYS = {
    "path": "toys.csv",
    "kind": "table",
    "key": "id",
    "text": ["title"],
    "image": "picture",
    "columns": {"colour": "category", "price": "number", "tags": "labels"},
}
GOOD = {
    "name": "toys",
    "title": "Toys",
    "data": {"toys": TOYS},
    "modalities": {
        "words": {"kind": "characters"},
        "price": {"kind": "number"},
        "image": {"kind": "image", "model": "m"},
    },
    "tasks": {"colour": {"kind": "classification", "target": "colour", "inputs": ["words"]}},
    "index": {"rows": "toys", "embed": ["words"], "weights": {"words": 2.0}, "show": ["title"], "group": "colour"},
    "gate": {"metric": "colour.accuracy"},
    "monitor": {"schedule": "0 3 * * *"},
}


def changed(path, value):
    """The good scenario with one value replaced."""

    def put(section, names):
        name, *rest = names
        return {**section, name: put(section.get(name, {}), rest) if rest else value}

    return Scenario.model_validate(put(GOOD, path.split(".")))


def test_a_scenario_that_holds_together_has_no_problems():
    assert problems(Scenario.model_validate(GOOD)) == []


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("data", {}, "data: empty. Name at least one source of rows."),
        ("tasks", {}, "modalities, tasks: there must be at least one of each."),
        ("rows", "toy", "rows: 'toy' is not there. Did you mean 'toys'? There is toys."),
        ("data.toys.required", ["titel"], "data.toys.required: 'titel' is not there. Did you mean 'title'?"),
        ("data.toys.text", ["title", "colour"], "data.toys: ['colour'] stand both in text"),
        ("modalities.words.columns", ["titel"], "modalities.words.columns: 'titel' is not there. Did you"),
        (
            "modalities.price.columns",
            ["colour"],
            (
                "modalities.price.columns: 'colour' is not declared as number. "
                "Write `colour: number` under data.toys.columns."
            ),
        ),
        ("modalities.size", {"kind": "number"}, "modalities.size.columns: 'size' is not there."),
        (
            "data.toys.image",
            None,
            ("modalities.image: data.toys names no column for it to read. Add `image: COLUMN` to data.toys."),
        ),
        ("data.toys.text", [], "modalities.words: data.toys names no column for it to read. Add `text: [COLUMN]`"),
        ("tasks.colour.target", "color", "tasks.colour.target: 'color' is not there. Did you mean 'colour'?"),
        ("tasks.colour.target", "price", "tasks.colour.target: 'price' is declared as number; classes are category or"),
        ("tasks.colour.inputs", ["word"], "tasks.colour.inputs: 'word' is not there. Did you mean 'words'?"),
        ("modalities.words.columns", ["colour"], "tasks.colour.inputs: 'words' reads the target 'colour' itself"),
        ("index.rows", "toy", "index.rows: 'toy' is not there. Did you mean 'toys'?"),
        ("index.embed", ["word"], "index.embed: 'word' is not there. Did you mean 'words'?"),
        ("index.weights", {"price": 1.0}, "index.weights: 'price' is not there. There is words."),
        ("index.show", ["titel"], "index.show: 'titel' is not there. Did you mean 'title'?"),
        ("index.group", "color", "index.group: 'color' is not there. Did you mean 'colour'?"),
        ("gate.metric", "accuracy", "gate.metric: 'accuracy' is not TASK.METRIC, such as 'colour.accuracy'."),
        ("gate.metric", "color.accuracy", "gate.metric: 'color' is not there. Did you mean 'colour'?"),
        (
            "gate.metric",
            "colour.acuracy",
            ("gate.metric: 'acuracy' is not there. Did you mean 'accuracy'? There is accuracy, macro_f1, micro_f1."),
        ),
        (
            "fusion",
            {"kind": "cross_attention", "hidden": 30},
            "fusion.hidden: 30 cannot be shared evenly by 4 attention heads; give a multiple of 4, such as 128.",
        ),
        (
            "tasks.colour.fusion",
            {"kind": "cross_attention", "hidden": 9, "attention_heads": 2},
            "tasks.colour.fusion.hidden: 9 cannot be shared evenly by 2 attention heads",
        ),
        ("monitor.schedule", "every night", "monitor.schedule: 'every night' has 2 fields; a cron expression has five"),
        ("monitor.timezone", "Europe/Berln", "monitor.timezone: 'Europe/Berln' is not a time zone, such as"),
    ],
)
def test_a_name_that_leads_nowhere_is_named_with_the_nearest(path, value, message):
    found = problems(changed(path, value))
    assert any(line.startswith(message) for line in found), found


def test_all_problems_are_listed():
    scenario = Scenario.model_validate({**GOOD, "index": {"rows": "toys", "embed": ["word"], "show": ["titel"]}})
    assert [line.split(":")[0] for line in problems(scenario)] == ["index.embed", "index.show"]


def test_rows_are_asked_for_only_where_they_cannot_be_told():
    two = {"toys": TOYS, "more": {**TOYS, "path": "more.csv"}}
    (problem,) = problems(changed("data", two))
    assert re.match(r"rows: missing, and the targets \(colour\) do not tell which of toys, more", problem)
    told = {"toys": TOYS, "more": {"kind": "table", "path": "more.csv", "columns": {"at": "time"}}}
    assert task_rows(changed("data", told)) == "toys"
    unknown = Scenario.model_validate(
        {**GOOD, "data": two, "tasks": {"colour": {"kind": "classification", "target": "color"}}}
    )
    assert problems(unknown)[0].startswith("tasks.colour.target: 'color' is not there. Did you mean 'colour'?")


def test_a_modality_reads_its_own_columns_or_those_of_its_kind():
    scenario = Scenario.model_validate(GOOD)
    rows = scenario.data["toys"]
    read = {name: modality_columns(given, name, rows) for name, given in scenario.modalities.items()}
    assert read == {"words": ("title",), "price": ("price",), "image": ("picture",)}


@pytest.mark.parametrize(
    "good", ["* * * * *", "*/5 0-6 1,15 jan-mar mon", "0 3 * * 7", "59 23 31 12 sun", "5/10 * * * *"]
)
def test_cron_expressions_that_a_clock_can_meet(good):
    assert cron_mistake(good) == ""


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("0 25 * * *", "'25' is no hour (0 to 23"),
        ("60 3 * * *", "'60' is no minute (0 to 59"),
        ("0 3 0 * *", "'0' is no day of the month (1 to 31"),
        ("0 3 * 13 *", "'13' is no month (1 to 12"),
        ("0 3 * * fry", "'fry' is no day of the week (0 to 7"),
        ("*/0 3 * * *", "'*/0' is no minute"),
        ("0 9-5 * * *", "'9-5' is no hour"),
        ("0 3 * *", "has 4 fields; a cron expression has five (minute, hour,"),
    ],
)
def test_cron_expressions_that_none_can_meet(bad, message):
    assert message in cron_mistake(bad)
