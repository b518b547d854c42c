"""An index in step with its sources: only what changed is embedded, all of it lands at once, nothing else moves."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from flows.indexing.follow import follow
from flows.indexing.health import status, tend
from flows.indexing.place import forget_in_indexes, index_place
from flows.indexing.update import update_index
from flows.scenario_file import load_scenario
from flows.stages.ingest import ingest
from ingestion.snapshots import open_snapshot
from polyloom.durable import file_digest
from polyloom.errors import DataError, RequestError
from polyloom.home import home
from polyloom.progress import SILENT
from releases.live_index import recall_log
from releases.runtime import Runtime
from tests.flows.test_zero_shot import write_wishes
from tests.support.stage_runs import job_for, packaged

INDEX = {"rows": "wishes", "embed": ["text"], "keyword": True, "show": ["text", "label"], "recall": 0.9}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A scenario with its bundle, made once."""
    folder = tmp_path_factory.mktemp("indexed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLYLOOM_HOME", str(folder / "home"))
        bundle = packaged(job_for(write_wishes(folder, task={"head": "prototypes"}, index=INDEX)))
    return folder, bundle


@pytest.fixture
def wishes(made, tmp_path, monkeypatch):
    """A copy of its own: the table, the scenario's path, and the opened release."""
    folder = tmp_path / "own"
    shutil.copytree(made[0], folder)
    monkeypatch.setenv("POLYLOOM_HOME", str(folder / "home"))
    bundle = folder / "home" / made[1].relative_to(made[0] / "home")
    runtime = Runtime.open(bundle, blobs=home() / "blobs", indexes=home() / "indexes" / "wishes")
    return folder / "wishes.jsonl", folder / "wishes.yaml", runtime


def snapshot_of(path):
    return open_snapshot(Path(ingest(load_scenario(str(path)), progress=SILENT).folder))


def rows_in(table):
    return [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]


def write_rows(table, rows):
    table.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def files_of(folder):
    return {path: file_digest(path) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def changed(wishes):
    """The source after a while: one row new, one changed, two gone."""
    table, path, runtime = wishes
    rows = rows_in(table)
    rows[4]["text"] = "my lost red shoe"
    write_rows(table, [*rows[:7], *rows[9:], {**rows[0], "id": "new", "text": "退款 退款"}])
    return path, runtime


def test_only_what_changed_is_embedded(changed, monkeypatch):
    path, runtime = changed
    sealed = files_of(runtime.folder)
    seen = []
    whole = runtime.embed
    monkeypatch.setattr(runtime, "embed", lambda name, values: seen.extend(values) or whole(name, values))
    report = update_index(runtime, snapshot_of(path), progress=SILENT)
    assert (report["new"], report["changed"], report["gone"], report["same"]) == (1, 1, 2, 87)
    assert seen == ["my lost red shoe", "退款 退款"]
    assert report["embedded"] == {"text": 2}
    assert report["items"] == len(runtime.searcher.snapshot.ids) == 89
    assert files_of(runtime.folder) == sealed


def test_searches_see_it_without_opening_the_release_again(changed):
    path, runtime = changed
    before = [hit.id for hit in runtime.search(text="退款", k=90)]
    update_index(runtime, snapshot_of(path), progress=SILENT)
    after = [hit.id for hit in runtime.search(text="退款", k=90)]
    assert "new" not in before
    assert after[0] == "new"
    assert {"w7", "w8"} & set(before)
    assert not {"w7", "w8"} & set(after)
    assert runtime.items().num_rows == 89


def test_it_answers_as_an_index_that_was_made_anew(changed):
    path, runtime = changed
    update_index(runtime, snapshot_of(path), progress=SILENT)
    again = Runtime.open(packaged(job_for(path)))
    held, made = runtime.searcher.snapshot, again.searcher.snapshot
    assert set(held.ids) == set(made.ids)
    for id_ in made.ids:
        np.testing.assert_allclose(held.field("text").vector(id_), made.field("text").vector(id_), atol=1e-5)
        assert held.row(id_) == made.row(id_)


def test_nothing_new_changes_nothing(changed):
    path, runtime = changed
    first = update_index(runtime, snapshot_of(path), progress=SILENT)
    again = update_index(runtime, snapshot_of(path), progress=SILENT)
    assert first["status"] == "updated"
    assert again["status"] == "unchanged"
    assert again["number"] == first["number"]
    assert again["embedded"] == {}


def test_rows_that_went_alone_embed_nothing(wishes):
    table, path, runtime = wishes
    write_rows(table, rows_in(table)[1:])
    report = update_index(runtime, snapshot_of(path), progress=SILENT)
    assert (report["gone"], report["same"], report["embedded"]) == (1, 89, {"text": 0})
    assert "w0" not in runtime.searcher.snapshot.ids


def test_other_columns_need_another_release(wishes):
    table, path, runtime = wishes
    scenario = path.read_text(encoding="utf-8").replace("label: category", "label: category\n      price: number")
    path.write_text(scenario, encoding="utf-8")
    write_rows(table, [{**row, "price": 1.5} for row in rows_in(table)])
    with pytest.raises(DataError, match=r"has the columns .* Next, for a release .*: polyloom run wishes"):
        update_index(runtime, snapshot_of(path), progress=SILENT)


def test_a_new_release_with_the_same_encoder_goes_on_with_its_own_rows(changed):
    path, runtime = changed
    update_index(runtime, snapshot_of(path), progress=SILENT)
    table = path.parent / "wishes.jsonl"
    write_rows(table, [{**rows_in(table)[0], "text": "red shoe red shoe"}, *rows_in(table)[3:]])
    job = job_for(path)
    released = Runtime.open(packaged(job), indexes=home() / "indexes" / "wishes")
    assert released.searcher.snapshot.row("w0")["text"] != "red shoe red shoe"
    assert follow(index_place(released), snapshot=job.ref["data"]["id"]) is not None
    held = released.searcher.snapshot
    assert held.row("w0")["text"] == "red shoe red shoe"
    assert set(held.ids) == set(job.snapshot.table("wishes")["_key"].to_pylist())
    assert status(released)["snapshot"] == job.ref["data"]["id"]


def test_a_release_whose_index_never_changed_has_nothing_to_follow(wishes):
    assert follow(index_place(wishes[2]), snapshot="x") is None


def test_what_is_forgotten_is_found_no_more_and_lies_in_no_file(wishes):
    _, path, runtime = wishes
    assert "w2" in runtime.searcher.snapshot.ids
    assert forget_in_indexes("wishes", ["w2", "nobody"]) == 1
    assert "w2" not in runtime.searcher.snapshot.ids
    live = index_place(runtime).live
    (segment,) = (live / "segments").glob("s*")
    assert "w2" not in open_ids(segment)
    assert forget_in_indexes("wishes", ["w2"]) == 0
    update_index(runtime, snapshot_of(path), progress=SILENT)


def open_ids(segment):
    from retrieval.id_table import IdTable

    return list(IdTable.open(segment))


def test_status_says_what_the_index_is(changed):
    path, runtime = changed
    sealed = status(runtime)
    assert (sealed["changed_since_release"], sealed["items"], sealed["state"]) == (False, 90, 1)
    snapshot = snapshot_of(path)
    update_index(runtime, snapshot, progress=SILENT)
    now = status(runtime)
    assert (now["changed_since_release"], now["items"], now["state"], now["snapshot"]) == (True, 89, 2, snapshot.id)
    assert [(part["items"], part["removed"]) for part in now["parts"]] == [(90, 3), (2, 0)]
    assert now["fields"]["text"]["kinds"] == ["flat"]
    assert now["removed_share"] == round(3 / 92, 4)


def test_an_index_that_overlooks_too_much_is_rebuilt(changed):
    path, runtime = changed
    update_index(runtime, snapshot_of(path), progress=SILENT)
    log = recall_log(index_place(runtime).live)
    for _ in range(29):
        log.add("text", 0.5, number=2)
    assert tend(runtime, progress=SILENT) is None
    log.add("text", 0.5, number=2)
    assert status(runtime)["fields"]["text"]["recall_at_k"] == 0.5
    assert tend(runtime, progress=SILENT) == "recall of text 0.500, below 0.9"
    assert log.recent() == {}
    assert len(status(runtime)["parts"]) == 1
    assert tend(runtime, progress=SILENT) is None


def test_an_index_much_of_which_was_taken_out_is_compacted(wishes):
    table, path, runtime = wishes
    write_rows(table, rows_in(table)[30:])
    update_index(runtime, snapshot_of(path), progress=SILENT)
    assert tend(runtime, progress=SILENT) == "33% had been taken out"
    assert [part["removed"] for part in status(runtime)["parts"]] == [0]


def test_live_queries_over_an_approximate_index_are_repeated_exactly(changed):
    path, runtime = changed
    update_index(runtime, snapshot_of(path), progress=SILENT)
    place = index_place(runtime)
    place.writer().rebuild("ivf_flat")
    runtime.searcher._watched_share = 1.0
    for text in ("red", "lost", "card"):
        runtime.search(text=text, k=3)
    assert recall_log(place.live).recent()["text"].queries == 3


def test_a_release_without_an_index_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path / "home"))
    runtime = Runtime.open(packaged(job_for(write_wishes(tmp_path, task={"head": "prototypes"}))))
    with pytest.raises(RequestError, match=r"has no index\. Add a section `index`"):
        index_place(runtime)
