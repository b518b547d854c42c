"""Answers that a trained span head reads in documents."""

import json
import shutil

import yaml

from polyloom.durable import read_json, write_json
from releases.answering import RECORD
from releases.runtime import Runtime
from tests.support.marked_toys import write_answers
from tests.support.stage_runs import job_for, packaged


def test_a_span_task_reads_the_passage_that_was_found(tmp_path, monkeypatch):
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path / "home"))
    path = write_answers(tmp_path / "toys")
    (path.parent / "pages").mkdir()
    for number, said in enumerate(("my lost card the red shoe", "a hat the blue card", "my lost the hat")):
        (path.parent / "pages" / f"{number}.txt").write_text(said, encoding="utf-8")
    rows = [json.loads(line) for line in (path.parent / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    lines = [json.dumps({**row, "q": "lost card ?"}) + "\n" for row in rows]
    (path.parent / "rows.jsonl").write_text("".join(lines), encoding="utf-8")
    scenario = yaml.safe_load(path.read_text(encoding="utf-8"))
    scenario["data"]["pages"] = {"kind": "documents", "path": "pages"}
    scenario["modalities"]["text"]["columns"] = ["q", "context"]
    scenario |= {
        "rows": "rows",
        "index": {"rows": "pages", "embed": [], "keyword": True, "show": ["document", "text"]},
        "answer": {"read": "answer", "questions": {"rows": "rows", "text": "q", "answer": "answers"}},
    }
    path.write_text(yaml.safe_dump(scenario, sort_keys=False), encoding="utf-8")
    runtime = Runtime.open(packaged(job_for(path)))
    record = read_json(runtime.folder / RECORD)
    assert record["threshold"]["value"] is None

    guesses = runtime.ask("lost card").hand_over.guesses
    assert guesses[0].source == "0.txt"
    eager = tmp_path / "eager"
    shutil.copytree(runtime.folder, eager)
    (eager / RECORD).unlink()
    write_json(eager / RECORD, {**record, "threshold": {**record["threshold"], "value": 0.0}})
    found = Runtime(folder=eager, digest="eager", facts=runtime.facts, blobs=None).ask("the blue card")
    (cited,) = found.citations
    assert (cited.source, found.text) == ("1.txt", "blue")
    assert "a hat the blue card"[cited.start : cited.end] == "blue"
