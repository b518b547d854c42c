"""How much words count beside vectors, learned from questions whose answers are known."""

import json

import pytest
import yaml

from flows.scenario_file import load_scenario
from polyloom.durable import read_json
from polyloom.errors import ScenarioError
from releases.runtime import Runtime
from retrieval.joining import USUAL_SHARE
from tests.flows.test_zero_shot import write_wishes
from tests.support.stage_runs import job_for, packaged

INDEX = {"rows": "wishes", "embed": ["text"], "keyword": True, "show": ["text"]}
QUERIES = {"rows": "asked", "text": "question", "item": "wish"}


def write_asked(folder, *, split="train", **index):
    """Wishes with a code each, which the encoder cannot read, and questions that name it; the scenario's path."""
    path = write_wishes(folder, task={"head": "prototypes"}, index={**INDEX, "queries": QUERIES, **index})
    table = folder / "wishes.jsonl"
    rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
    for number, row in enumerate(rows):
        row["text"] += f" x{number}"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    asked = [
        {"id": f"q{number}", "question": f"my x{number}", "wish": f"w{number}", "split": split}
        for number in range(0, 90, 2)
    ]
    (folder / "asked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked), encoding="utf-8")
    scenario = yaml.safe_load(path.read_text(encoding="utf-8"))
    scenario["rows"] = "wishes"
    scenario["data"]["asked"] = {
        "kind": "table",
        "path": "asked.jsonl",
        "key": "id",
        "split": "split",
        "columns": {"question": "text", "wish": "text"},
    }
    path.write_text(yaml.safe_dump(scenario, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def released(path):
    job = job_for(path)
    return Runtime.open(packaged(job)), read_json(job.folder / "package.json")["index"]["fusion"]


def test_words_count_more_where_they_alone_find_the_answers(tmp_path, polyloom_home, monkeypatch):
    # As much as words usually count is enough here, so that the usual is made too little.
    monkeypatch.setattr("flows.stages.keyword_share.USUAL_SHARE", 0.001)
    runtime, told = released(write_asked(tmp_path))
    assert told["share"] >= 0.125
    assert 30 <= told["queries"] <= 45
    assert "better" in told["why"]
    assert runtime.facts["index"]["keyword_share"] == told["share"]
    assert runtime.search(text="my x7", k=1)[0].id == "w7"


def test_questions_of_the_test_split_teach_nothing(tmp_path, polyloom_home):
    _, told = released(write_asked(tmp_path, split="test"))
    assert told["share"] == USUAL_SHARE
    assert "0 judged queries are too few" in told["why"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"keyword": False}, "index.queries: they tell how much words count"),
        ({"queries": {**QUERIES, "rows": "ask"}}, "index.queries.rows: 'ask' is not there"),
        ({"queries": {**QUERIES, "text": "quest"}}, "index.queries.text: 'quest' is not there"),
        ({"queries": {**QUERIES, "item": "wishes"}}, "index.queries.item: 'wishes' is not there"),
        ({"align": {"label": "text"}}, "index.align: 'label' is not there"),
        ({"embed": [], "keyword": False, "queries": None}, "index.embed: empty, so nothing could be found"),
    ],
)
def test_what_cannot_be_is_told_by_its_place(tmp_path, changed, message):
    path = write_asked(tmp_path, **changed)
    with pytest.raises(ScenarioError, match=message):
        load_scenario(str(path))
