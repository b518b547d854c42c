"""An index that its scenario puts into Milvus by one line: in its embedded edition, beside the same on disk."""

import gc
import shutil

import numpy as np
import pytest

from flows.indexing.follow import follow
from flows.indexing.health import status, tend
from flows.indexing.place import forget_in_indexes, index_place
from flows.indexing.update import update_index
from flows.scenario_file import load_scenario
from polyloom.errors import DataError, IntegrityError, ScenarioError
from polyloom.home import home
from polyloom.progress import SILENT
from releases.found import Wishes
from releases.runtime import Runtime
from retrieval import milvus_connection
from retrieval.milvus_live import RECORD, read_placed
from tests.flows.indexing.test_update import rows_in, snapshot_of, write_rows
from tests.flows.test_zero_shot import write_wishes
from tests.support.stage_runs import job_for, packaged

pytest.importorskip("pymilvus", reason="needs the extra milvus")
pytest.importorskip("milvus_lite", reason="needs the extra milvus: its embedded edition")

INDEX = {"rows": "wishes", "embed": ["text"], "show": ["text", "label"], "milvus": "milvus/wishes.db"}


@pytest.fixture(autouse=True)
def nothing_is_left_running():
    yield
    gc.collect()
    milvus_connection.close_abandoned()
    assert not milvus_connection.held


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A scenario with its bundle, made once; Milvus knows nothing of it yet."""
    folder = tmp_path_factory.mktemp("placed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLYLOOM_HOME", str(folder / "home"))
        bundle = packaged(job_for(write_wishes(folder, task={"head": "prototypes"}, index=INDEX)))
    return folder, bundle


@pytest.fixture
def placed(made, tmp_path, monkeypatch):
    """A copy of its own whose champion is in Milvus: the table, the scenario's path, the opened release."""
    folder = tmp_path / "own"
    shutil.copytree(made[0], folder)
    monkeypatch.setenv("POLYLOOM_HOME", str(folder / "home"))
    runtime = Runtime.open(
        folder / "home" / made[1].relative_to(made[0] / "home"),
        blobs=home() / "blobs",
        indexes=home() / "indexes" / "wishes",
    )
    sealed = runtime.searcher.snapshot
    assert follow(index_place(runtime), snapshot="first") == 1
    assert runtime.searcher.snapshot is not sealed
    yield folder / "wishes.jsonl", folder / "wishes.yaml", runtime, sealed
    runtime.searcher.snapshot.close()


def test_an_index_that_is_collected_under_the_lock_of_connections_stops_nobody(placed):
    """The collector once closed an index in the middle of a connect, which waited for itself ever after."""
    _, _, runtime, _ = placed
    index = index_place(runtime).open()
    milvus_connection.close_abandoned()
    with milvus_connection.lock:
        del index
        gc.collect()
        assert milvus_connection.abandoned
    milvus_connection.close_abandoned()
    assert index_place(runtime).open().count == 90


def test_a_champion_is_put_there_and_answers_as_it_does_on_disk(placed):
    _, _, runtime, sealed = placed
    held = runtime.searcher.snapshot
    assert set(held.ids) == set(sealed.ids)
    assert held.columns == sealed.columns
    for id_ in list(sealed.ids)[:5]:
        np.testing.assert_allclose(held.field("text").vector(id_), sealed.field("text").vector(id_), atol=1e-6)
    query = sealed.field("text").vector("w5")[None]
    there, here = (index.field("text").search(query, 10) for index in (held, sealed))
    np.testing.assert_allclose(there.scores[0], here.scores[0], atol=1e-5)
    assert held.table(["_key", "_hash"]).schema == sealed.table(["_key", "_hash"]).schema
    kept = dict(zip(*(held.table()[name].to_pylist() for name in ("_key", "_hash")), strict=True))
    assert kept == dict(zip(*(sealed.table()[name].to_pylist() for name in ("_key", "_hash")), strict=True))


def test_filters_counts_and_pages_work_there(placed):
    _, _, runtime, _ = placed
    found = runtime.find(Wishes(k=5, where="label = 'lost_card'", facets=("label",)), text="my card")
    assert {hit.row["label"] for hit in found.hits} == {"lost_card"}
    assert {count.value for count in found.facets["label"]} == {"lost_card"}
    first, second = (runtime.find(Wishes(k=3, page=page), text="card").hits for page in (1, 2))
    assert not {hit.id for hit in first} & {hit.id for hit in second}
    assert runtime.find(Wishes(k=2), like="w3").hits[0].id != "w3"


def test_only_what_changed_is_embedded_and_searches_see_it(placed):
    table, path, runtime, _ = placed
    rows = rows_in(table)
    rows[4]["text"] = "my lost red shoe"
    write_rows(table, [*rows[:7], *rows[9:], {**rows[0], "id": "new", "text": "退款 退款"}])
    report = update_index(runtime, snapshot_of(path), progress=SILENT)
    assert (report["new"], report["changed"], report["gone"], report["same"]) == (1, 1, 2, 87)
    assert report["embedded"] == {"text": 2}
    assert runtime.search(text="退款", k=1)[0].id == "new"
    assert len(runtime.searcher.snapshot.ids) == 89
    again = update_index(runtime, snapshot_of(path), progress=SILENT)
    assert (again["status"], again["number"]) == ("unchanged", report["number"])


def test_who_was_killed_before_the_record_moved_repeats_the_change(placed):
    table, path, runtime, _ = placed
    place = index_place(runtime)
    before = (place.live / RECORD).read_bytes()
    write_rows(table, rows_in(table)[1:])
    update_index(runtime, snapshot_of(path), progress=SILENT)
    (place.live / RECORD).write_bytes(before)
    report = update_index(runtime, snapshot_of(path), progress=SILENT)
    assert (report["gone"], report["status"]) == (0, "updated")
    assert "w0" not in runtime.searcher.snapshot.ids


def test_a_collection_left_half_full_is_begun_again(placed):
    place = index_place(placed[2])
    (place.live / RECORD).unlink()
    assert not place.is_live
    assert place.writer().verify() == 90


def test_it_is_rebuilt_as_another_kind_in_another_collection(placed):
    _, _, runtime, sealed = placed
    place = index_place(runtime)
    before = read_placed(place.live)
    place.writer().rebuild("hnsw")
    after = read_placed(place.live)
    assert (after.built, after.number) == (before.built + 1, before.number + 1)
    assert place.open(verify=True).kind == "hnsw"
    assert set(runtime.searcher.snapshot.ids) == set(sealed.ids)
    assert runtime.searcher.snapshot.row("w3") == sealed.row("w3")
    with pytest.raises(IntegrityError, match="has no collection"):
        milvus_collection(before, place)


def milvus_collection(placed, place):
    from retrieval.milvus import open_collection

    return open_collection(placed.uri, placed.collection, encoders=place.encoders)


def test_status_names_the_collection_and_nothing_needs_tending(placed):
    found = status(placed[2])
    assert (found["items"], found["changed_since_release"], found["parts"]) == (90, True, [])
    assert found["folder"].endswith(f", collection {read_placed(index_place(placed[2]).live).collection}")
    assert found["fields"]["text"]["kinds"] == ["of Milvus' choice"]
    assert tend(placed[2], progress=SILENT) is None


def test_what_is_forgotten_is_gone_there_too(placed):
    assert forget_in_indexes("wishes", ["w2", "nobody"]) == 1
    assert "w2" not in placed[2].searcher.snapshot.ids


def test_other_columns_need_another_release(placed):
    table, path, runtime, _ = placed
    scenario = path.read_text(encoding="utf-8").replace("label: category", "label: category\n      price: number")
    path.write_text(scenario, encoding="utf-8")
    write_rows(table, [{**row, "price": 1.5} for row in rows_in(table)])
    with pytest.raises(DataError, match=r"has the columns .* Next, for a release .*: polyloom run wishes"):
        update_index(runtime, snapshot_of(path), progress=SILENT)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("index.keyword=true", "index.milvus: nothing is searched by words there"),
        ("index.milvus=somewhere", "index.milvus: 'somewhere' is no address. Write http://host:port, or a path"),
        ("index.kind=ivf_pq", "index.kind: the edition of Milvus inside the process has no ivf_pq"),
        ("index.memory_mib=10", "index.memory_mib: it is for vectors on this machine"),
    ],
)
def test_what_cannot_be_there_is_told_by_its_place(made, monkeypatch, override, message):
    monkeypatch.setenv("POLYLOOM_HOME", str(made[0] / "home"))
    with pytest.raises(ScenarioError) as caught:
        load_scenario(str(made[0] / "wishes.yaml"), overrides=[override])
    assert message in str(caught.value)
