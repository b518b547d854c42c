"""What a `data` section can get wrong: by its path in the file, with the nearest thing that is right."""

import datetime as dt
import re

import pytest

from flows.assembly import rare_labels, table_sources
from flows.scenario_checks import data_problems
from flows.scenario_file import LoadedData, LoadedScenario, load_data_scenario, load_scenario
from flows.spec import DataScenario, Scenario
from flows.templates import write_scenario
from ingestion.cleaning import Cleaning
from ingestion.lengths import SameLength
from ingestion.rules import ColumnRule, Rules
from ingestion.values import as_time
from polyloom.errors import RequestError, ScenarioError

ITEMS = {
    "kind": "table",
    "path": "items.csv",
    "key": "id",
    "text": ["title"],
    "columns": {
        "price": "number",
        "colour": "category",
        "tags": "labels",
        "sizes": "tokens",
        "at": "time",
        "until": "time",
    },
    "encoding": "auto",
    "checks": {
        "price": {"min": 0, "max": 10_000},
        "id": {"pattern": "[A-Z]{3}-[0-9]+", "unique": True},
        "colour": {"allowed": ["red", 1, True]},
        "at": {"min": dt.date(2020, 1, 1), "max": "2030-01-01T00:00:00+02:00"},
    },
    "order": ["at", "until"],
    "same_length": ["tags", "sizes"],
    "clean": {"normalise": None, "control": "refuse", "max_characters": 500},
    "group": "colour",
    "personal": {"mask": ["mail", "phone"]},
}
EVENTS = {
    "kind": "log",
    "path": "events",
    "user": "user_id",
    "item": "item_id",
    "time": "at",
    "time_split": "at",
    "checks": {"item_id": {"in": "items"}},
}
GOOD = {"name": "shop", "title": "A shop", "data": {"items": ITEMS, "events": EVENTS}}
FILES = {"kind": "table", "path": "x.csv", "columns": {"a": "number", "b": "category"}}


def changed(table, **keys):
    """The good scenario with keys of one table replaced."""
    return {**GOOD, "data": {**GOOD["data"], table: {**GOOD["data"][table], **keys}}}


def only(source):
    return DataScenario.model_validate({**GOOD, "data": {"it": source}})


def test_a_data_section_that_holds_together_has_no_problems():
    assert data_problems(DataScenario.model_validate(GOOD)) == []


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"checks": {"prise": {"min": 0}}}, "data.items.checks: 'prise' is not there. Did you mean 'price'? There"),
        (
            {"checks": {"title": {"min": 0}}},
            ("data.items.checks.title.min: the column is declared as text; min needs a column of kind number or time."),
        ),
        (
            {"checks": {"price": {"max": "2020-01-01"}}},
            "data.items.checks.price.max: the column is declared as number; max needs a number.",
        ),
        ({"checks": {"at": {"min": 0}}}, "data.items.checks.at.min: the column is declared as time; min needs a time."),
        ({"checks": {"price": {"min": 2, "max": 1}}}, "data.items.checks.price: min 2.0 is above max 1.0; no"),
        ({"checks": {"at": {"min": "2021-01-01T00:00:00Z", "max": "2020-01-01"}}}, "data.items.checks.at: min 2021"),
        (
            {"checks": {"id": {"pattern": "[a"}}},
            ("data.items.checks.id.pattern: '[a' is not a regular expression that RE2 reads: missing ]"),
        ),
        ({"checks": {"price": {"pattern": "a"}}}, "data.items.checks.price.pattern: the column is declared as number"),
        ({"checks": {"at": {"allowed": ["a"]}}}, "data.items.checks.at.allowed: the column is declared as time; a"),
        ({"checks": {"price": {"allowed": [1, "two"]}}}, "data.items.checks.price.allowed: 'two' is not a number, but"),
        ({"checks": {"tags": {"unique": True}}}, "data.items.checks.tags.unique: the column is declared as labels; a"),
        (
            {"checks": {"colour": {"in": "item"}}},
            ("data.items.checks.colour.in: 'item' is not there. Did you mean 'items'? There is events, items."),
        ),
        (
            {"checks": {"colour": {"in": "events"}}},
            (
                "data.items.checks.colour.in: data.events has no key that a value "
                "could name. Declare `key: COLUMN` there."
            ),
        ),
        ({"checks": {"price": {"in": "items"}}}, "data.items.checks.price.in: the column is declared as number"),
        ({"order": ["at"]}, "data.items.order: 'at' alone has no order; name two columns or more."),
        ({"order": ["at", "untill"]}, "data.items.order: 'untill' is not there. Did you mean 'until'?"),
        ({"order": ["at", "price"]}, "data.items.order: at is time, price is number; all must be time, or all number."),
        ({"same_length": ["tags"]}, "data.items.same_length: 'tags' alone is of one length; name two columns or more."),
        ({"same_length": ["tags", "taggs"]}, "data.items.same_length: 'taggs' is not there. Did you mean 'tags'?"),
        (
            {"same_length": ["tags", "title"]},
            "data.items.same_length: 'title' is declared as text; a length needs labels, tokens or boxes.",
        ),
        ({"order": ["colour", "id"]}, "data.items.order: colour is category, id is category; all must be time, or"),
        (
            {"time_split": "at"},
            ("data.items.group: group and time_split exclude each other; each says which rows are for training."),
        ),
        ({"split": "part"}, "data.items.group: group and split exclude each other"),
        ({"path": {"train": "a.csv"}}, "data.items.group: group and a path for each split exclude each other"),
        ({"group": "price"}, "data.items.group: 'price' is declared as number; group needs category."),
        ({"group": "title"}, "data.items.group: 'title' is declared as text; group needs category."),
        ({"group": None, "time_split": "price"}, "data.items.time_split: 'price' is declared as number; time_split"),
        ({"encoding": "utf-9"}, "data.items.encoding: 'utf-9' is not a text encoding. Did you mean 'utf-8'? Allowed"),
        ({"encoding": "rot13"}, "data.items.encoding: 'rot13' is not a text encoding."),
        ({"text": []}, "data.items.personal.mask: there is no text column to mask in. Name one under `text`."),
    ],
)
def test_each_mistake_of_a_table_is_named(keys, message):
    found = data_problems(DataScenario.model_validate(changed("items", **keys)))
    assert any(line.startswith(message) for line in found), found


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"kind": "sql", "url": "sqlite:///a.db"}, "data.it: give either `query` or `table`, one of the two."),
        ({"kind": "sql", "url": "sqlite:///a.db", "query": "select 1", "table": "a"}, "data.it: give either"),
        ({"kind": "sql", "url": "shop.db", "table": "a"}, "data.it.url: 'shop.db' is no database URL, such as"),
        (
            {"kind": "conll", "path": "a", "fields": ["word", "tags"]},
            ("data.it.columns: 'tokens' is not there. There is document, tags, word."),
        ),
        ({"kind": "idx", "path": "a"}, "data.it.labels: missing, but it is the file that `label` comes from."),
        ({"kind": "documents", "path": "a", "overlap": 900}, "data.it.overlap: Passages of 1200 characters with an"),
        ({"kind": "documents", "path": "a", "pattern": "../*"}, "data.it.pattern: '../*' does not name files below"),
        ({"kind": "documents", "path": "a", "columns": {"pages": "number"}}, "data.it.columns: 'pages' is not there."),
    ],
)
def test_each_mistake_of_a_kind_is_named(source, message):
    found = data_problems(only(source))
    assert any(line.startswith(message) for line in found), found


def test_no_data_and_a_schedule_that_no_clock_could_follow():
    assert data_problems(DataScenario.model_validate({**GOOD, "data": {}})) == [
        "data: empty. Name at least one source of rows."
    ]
    wrong = DataScenario.model_validate({**GOOD, "monitor": {"schedule": "nightly"}})
    assert data_problems(wrong)[0].startswith("monitor.schedule: 'nightly' has 1 field")


FILE = """
name: shop
title: A shop
data:
  items:
    kind: table
    path: items.csv
    key: id
    columns: {price: number, colour: category}
    checks:
      price: {min: 0}
    clean: {control: strip}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "{min: 0}",
            "{mim: 0}",
            (
                "data.items.checks.price.mim: unknown key. Did you mean 'min'? "
                "Allowed here: allowed, in, max, min, pattern, unique."
            ),
        ),
        ("{min: 0}", "{references: items}", "data.items.checks.price.references: unknown key. Allowed here: "),
        (
            "{min: 0}",
            "{min: cheap}",
            ("data.items.checks.price.min: 'cheap' is neither a number nor a time such as 2026-01-31T12:00:00Z."),
        ),
        ("{min: 0}", "{min: true}", "data.items.checks.price.min: True is neither a number nor a time"),
        (
            "{min: 0}",
            "{allowed: 3}",
            (
                "data.items.checks.price.allowed: 3 cannot be an allowed value here. "
                "Write a list of texts or numbers, such as [red, blue]."
            ),
        ),
        ("{min: 0}", "{allowed: [{a: 1}]}", "data.items.checks.price.allowed: {'a': 1} cannot be an allowed value"),
        ("{min: 0}", "{allowed: []}", "data.items.checks.price.allowed: [] is empty; name at least one."),
        ("{min: 0}", "{unique: 3}", "data.items.checks.price.unique: 3 is neither true nor false."),
        (
            "{min: 0}",
            "5",
            (
                "data.items.checks.price: 5 is not a mapping of keys to values. "
                "Allowed keys: allowed, in, max, min, pattern, unique."
            ),
        ),
        ("control: strip", "control: keeep", "data.items.clean.control: 'keeep' is not known. Did you mean 'keep'?"),
        (
            "control: strip",
            "controll: keep",
            (
                "data.items.clean.controll: unknown key. Did you mean 'control'? "
                "Allowed here: control, max_characters, normalise."
            ),
        ),
        ("control: strip", "max_characters: 0", "data.items.clean.max_characters: 0 is too small; at least 1 is"),
        ("control: strip", "normalise: NFZ", "data.items.clean.normalise: 'NFZ' is not known. Did you mean 'NFD'?"),
        (
            "clean: {control: strip}",
            "personal: {mask: [email]}",
            (
                "data.items.personal.mask.0: 'email' is not known. "
                "Did you mean 'mail'? Allowed: mail, phone, card, "
                "identity."
            ),
        ),
        ("clean: {control: strip}", "oder: [a, b]", "data.items.oder: unknown key. Did you mean 'order'?"),
        (
            "kind: table",
            "kind: tabel",
            (
                "data.items: kind 'tabel' is not known. Did you mean 'table'? Allowed: table, "
                "pictures, sql, conll, semeval, squad, idx, boxes, hf, folder, "
                "log, documents, feedback."
            ),
        ),
        ("kind: table", "kind: boxes", "data.items.layout: missing; this section needs kind, path, layout."),
        ("kind: table", "kind: sql", "data.items.url: missing; this section needs kind, url."),
        ("title: A shop\n", "", "title: missing. Write for example"),
        ("name: shop", "modalites: {}\nname: shop", "modalites: unknown key. Did you mean 'modalities'?"),
        ("name: shop", "recipe: {epochs: 3}\nname: shop", "modalities: missing. Write for example"),
    ],
)
def test_each_mistake_in_a_file_is_named_by_its_path(tmp_path, old, new, message):
    path = tmp_path / "shop.yaml"
    assert old in FILE
    path.write_text(FILE.replace(old, new))
    with pytest.raises(ScenarioError) as raised:
        load_data_scenario(str(path))
    assert message in str(raised.value)


def test_data_alone_is_enough_to_ingest_but_not_to_train(tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_text(FILE)
    loaded = load_data_scenario(str(path), overrides=["splits.test=0.3"])
    assert (type(loaded), loaded.path, loaded.scenario.splits.test) == (LoadedData, path, 0.3)
    assert rare_labels(loaded.scenario) == {}
    with pytest.raises(ScenarioError, match=r"modalities: missing\. Write for example"):
        load_scenario(str(path))


def test_a_whole_scenario_is_checked_as_a_whole(tmp_path):
    path = write_scenario("demo", folder=tmp_path)
    loaded = load_data_scenario(str(path))
    assert isinstance(loaded, LoadedScenario)
    assert isinstance(loaded.scenario, Scenario)
    path.write_text(path.read_text().replace("target: tone", "target: tune"))
    with pytest.raises(ScenarioError, match=r"tasks.tone.target: 'tune' is not there. Did you mean 'tone'\?"):
        load_data_scenario(str(path))


def test_a_table_reaches_ingestion_with_its_rules(tmp_path):
    (tmp_path / "items.csv").touch()
    (tmp_path / "events").mkdir()
    items, events = table_sources(DataScenario.model_validate(GOOD), beside=tmp_path)
    assert items.rules == Rules(
        columns={
            "price": ColumnRule(minimum=0, maximum=10_000),
            "id": ColumnRule(pattern="[A-Z]{3}-[0-9]+", unique=True),
            "colour": ColumnRule(allowed=("red", "1", "true")),
            "at": ColumnRule(minimum=as_time("2020-01-01"), maximum=as_time("2029-12-31T22:00:00Z")),
        },
        order=("at", "until"),
        lengths=(SameLength(columns=("tags", "sizes")),),
    )
    assert items.cleaning == Cleaning(normalise=None, control="refuse", max_characters=500)
    assert (items.encoding, items.group, items.time_split, items.mask) == ("auto", "colour", None, ("mail", "phone"))
    assert (events.kind, events.time_split, events.key, events.options) == ("log", "at", None, {})
    assert events.rules == Rules(columns={"item_id": ColumnRule(references="items")})


def test_a_table_without_rules_has_none(tmp_path):
    (tmp_path / "x.csv").touch()
    (source,) = table_sources(only(FILES), beside=tmp_path)
    assert (source.rules, source.cleaning, source.options) == (None, Cleaning(), {})


@pytest.mark.parametrize(
    ("source", "options"),
    [
        (
            {"kind": "sql", "url": "sqlite:///a.db", "table": "a"},
            {"url": "sqlite:///a.db", "query": None, "table": "a"},
        ),
        (
            {"kind": "conll", "path": "f", "fields": ["tokens", "pos", "tags"], "comment": "#"},
            {"fields": ["tokens", "pos", "tags"], "comment": "#"},
        ),
        ({"kind": "idx", "path": "f", "labels": "g"}, {"labels": {"": "HERE/g"}}),
        ({"kind": "documents", "path": "f", "overlap": 0}, {"pattern": "**/*", "characters": 1200, "overlap": 0}),
        ({"kind": "idx", "path": {"train": "f"}, "labels": {"train": "g"}}, {"labels": {"train": "HERE/g"}}),
        ({"kind": "idx", "path": "f", "columns": {}}, {"labels": {}}),
        (
            {"kind": "boxes", "path": "f", "layout": "yolo", "images": "d", "classes": "g"},
            {"layout": "yolo", "images": "HERE/d", "classes": "HERE/g"},
        ),
        ({"kind": "boxes", "path": "f", "layout": "coco"}, {"layout": "coco", "images": None, "classes": None}),
        ({"kind": "hf", "path": "d"}, {}),
        ({"kind": "folder", "path": "d", "pattern": "*.jsonl"}, {"pattern": "*.jsonl"}),
    ],
)
def test_each_kind_passes_on_what_its_reader_needs(tmp_path, source, options):
    for name in "fg":
        (tmp_path / name).touch()
    (tmp_path / "d").mkdir()
    scenario = only(source)
    assert data_problems(scenario) == []
    (found,) = table_sources(scenario, beside=tmp_path)
    assert found.kind == source["kind"]
    assert str(found.options) == str(options).replace("HERE", str(tmp_path))


def test_a_password_comes_from_the_environment(tmp_path, monkeypatch):
    scenario = only({"kind": "sql", "url": "postgresql://me:${SHOP_PASSWORD}@host/shop", "table": "items"})
    assert data_problems(scenario) == []
    with pytest.raises(
        RequestError, match=re.escape("data.it.url: the environment variable SHOP_PASSWORD is not set.")
    ):
        table_sources(scenario, beside=tmp_path)
    monkeypatch.setenv("SHOP_PASSWORD", "secret")
    (source,) = table_sources(scenario, beside=tmp_path)
    assert source.options["url"] == "postgresql://me:secret@host/shop"
    assert source.paths == {"": tmp_path}
    assert "secret" not in scenario.model_dump_json()


def test_a_missing_file_of_a_kind_names_its_key(tmp_path):
    (tmp_path / "f").touch()
    with pytest.raises(RequestError, match=r"^data.it.labels: there is no 'g'"):
        table_sources(only({"kind": "idx", "path": "f", "labels": "g"}), beside=tmp_path)


def test_a_dumped_scenario_is_the_same_scenario():
    scenario = DataScenario.model_validate(GOOD)
    assert DataScenario.model_validate(scenario.model_dump(mode="json")) == scenario
