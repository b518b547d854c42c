"""Rows whose words and tags differ in number: they alone go to quarantine, for the tasks that need them even."""

import json

import pytest

from flows.assembly import table_sources
from flows.scenario_checks import problems
from flows.scenario_file import load_data_scenario
from flows.spec import DataScenario, Scenario
from flows.stages.ingest import ingest
from ingestion.lengths import SameLength
from ingestion.snapshots import open_snapshot
from modalities.preparation.word_split import WORD
from polyloom.progress import Silent
from tests.support.sentences import scenario, tagged_sentences

ROWS = 12
UNEVEN = {"id": "bad", "words": ["lost", "my", "hat"], "tags": ["O", "O"]}


@pytest.fixture
def described():
    """The scenario of tagged sentences, with no model beside it: ingestion needs none."""
    return {**scenario("bert", {}), "quarantine": {"max_share": 0.2}}


def rows_of(sentences):
    return [{"id": f"s{number}", "words": words, "tags": tags} for number, (words, tags) in enumerate(sentences)]


def ingested(folder, described, rows):
    """The snapshot of a scenario over these rows."""
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (folder / "sentences.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "sentences.yaml").write_text(json.dumps(described), encoding="utf-8")
    report = ingest(load_data_scenario(str(folder / "sentences.yaml")), progress=Silent())
    return open_snapshot(report.folder)


def test_a_row_with_a_tag_too_few_goes_to_quarantine_and_the_others_stay(tmp_path, described):
    good = rows_of(tagged_sentences()[:ROWS])
    snapshot = ingested(tmp_path, described, [*good[:3], UNEVEN, *good[3:]])
    (refused,) = snapshot.quarantine().to_pylist()
    assert refused["reason"] == "uneven_lengths"
    assert refused["message"] == "'words' has 3 values but 'tags' has 2 values; there must be equally many."
    assert (refused["table"], refused["source"], refused["row"], refused["key"]) == (
        "sentences",
        "sentences.jsonl",
        4,
        "bad",
    )
    assert json.loads(refused["content"]) == UNEVEN
    assert sorted(snapshot.table("sentences")["id"].to_pylist()) == sorted(row["id"] for row in good)


def test_a_text_is_counted_in_the_words_that_it_is_split_into(tmp_path, described):
    described["data"]["sentences"] |= {"text": ["words"], "columns": {"tags": "tokens"}}
    rows = rows_of(
        [("Anne's U.N. hat, 退款", ["O"] * 7), ("Anne's U.N. hat, 退款", ["O"] * 4), *[("a hat", ["O"] * 2)] * 8]
    )
    snapshot = ingested(tmp_path, described, rows)
    (refused,) = snapshot.quarantine().to_pylist()
    assert (refused["key"], refused["reason"]) == ("s1", "uneven_lengths")
    assert refused["message"] == "'words' has 7 words but 'tags' has 4 values; there must be equally many."
    assert len(snapshot.table("sentences")) == len(rows) - 1


def test_tasks_over_the_same_columns_give_one_rule_beside_the_declared_ones(tmp_path, described):
    described["tasks"]["found"] = described["tasks"]["lost"]
    described["data"]["sentences"]["columns"]["letters"] = "tokens"
    described["data"]["sentences"]["same_length"] = ["words", "letters"]
    (tmp_path / "sentences.jsonl").touch()
    declared = SameLength(columns=("words", "letters"))
    (source,) = table_sources(Scenario.model_validate(described), beside=tmp_path)
    assert source.rules.lengths == (declared, SameLength(columns=("words", "tags"), word=WORD))
    alone = {name: described[name] for name in ("name", "title", "data")}
    (source,) = table_sources(DataScenario.model_validate(alone), beside=tmp_path)
    assert source.rules.lengths == (declared,)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            ["words", "others"],
            (
                "modalities.text.columns: words to tag stand in one column, here are ['words', 'others'] of "
                "data.sentences."
            ),
        ),
        (["kinds"], "modalities.text.columns: 'kinds' is declared as labels; words to tag are tokens or text."),
        (["price"], "modalities.text.columns: 'price' is declared as number; words to tag are tokens or text."),
    ],
)
def test_words_to_tag_stand_in_one_column_of_words(described, columns, message):
    described["data"]["sentences"]["columns"] |= {"others": "tokens", "kinds": "labels", "price": "number"}
    assert problems(Scenario.model_validate(described)) == []
    described["modalities"]["text"]["columns"] = columns
    assert problems(Scenario.model_validate(described)) == [message]
