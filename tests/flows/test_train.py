"""The whole line on tiny data, through the real command: what a run leaves, says, and how it ends."""

import json
from pathlib import Path

import numpy as np
import pytest

from flows import server
from heads.robustness import harmed_inputs
from ingestion.snapshots import open_snapshot
from polyloom.durable import file_digest, read_json
from releases.bundle import verify
from releases.mlflow_store import connect
from releases.runtime import Runtime
from tests.support.command_line import in_process_of_its_own, inside, state
from tests.support.mlflow_store import copy_store, template
from tests.support.toys import COLOURS, ROWS, write_picture_folders, write_toys

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of its own for this module's scenarios and state."""
    return tmp_path_factory.mktemp("line")


@pytest.fixture(scope="module")
def environment(place, session_server, tmp_path_factory):
    """The module's state folder, on the session's Prefect server."""
    home = place / "home"
    home.mkdir()
    uri = copy_store(template(tmp_path_factory), home / "mlflow.db")
    return state(home, server=session_server.url, mlflow=uri)


@pytest.fixture(scope="module")
def toys(place):
    """The scenario with every kind of modality and of task."""
    return write_toys(place / "toys")


@pytest.fixture(scope="module")
def first(toys, environment):
    """The first run, in a process of its own."""
    ended = in_process_of_its_own("run", toys, "--json", environment=environment, folder=toys.parent)
    assert ended.code == 0, ended.err
    return ended


@pytest.fixture
def polyloom(environment, session_server):
    """Run further commands in this process, on the same state."""

    def run(*words):
        with server.connected(session_server.url):
            return inside(*words, environment=environment)

    return run


@pytest.fixture(scope="module")
def client(environment):
    """MLflow's own view of what the runs left."""
    return connect(environment["MLFLOW_TRACKING_URI"])


def runs(client, name):
    experiment = client.get_experiment_by_name(name)
    return list(client.search_runs([experiment.experiment_id]))


def test_json_is_one_object_with_the_promised_keys(first):
    result = json.loads(first.out)
    assert first.out.lstrip().startswith("{")
    assert {"scenario", "status", "mlflow_run_id", "release", "snapshot", "metrics", "index", "seconds"} <= set(result)
    assert (result["scenario"], result["status"]) == ("toys", "released")
    assert {"name", "version", "digest", "alias"} <= set(result["release"])
    assert (result["release"]["version"], result["release"]["alias"]) == ("1", "champion")
    assert {"id", "rows_in", "rows_kept", "rows_quarantined"} <= set(result["snapshot"])
    assert (result["snapshot"]["rows_in"], result["snapshot"]["rows_kept"]) == (ROWS, ROWS)
    assert set(result["metrics"]) == {"colour", "cheap", "tags"}
    assert set(result["index"]["modalities"]) == {"image", "chars"}
    assert {"ingest", "fit", "export", "package", "release"} <= set(result["seconds"])
    assert "Traceback" not in first.err
    assert "fit:" in first.err


def test_what_stands_in_the_data_is_learned(first):
    figures = first.json["metrics"]
    assert figures["colour"]["accuracy"] >= 0.9
    assert figures["cheap"]["accuracy"] >= 0.9
    assert figures["tags"]["micro_f1"] >= 0.8


def test_one_mlflow_run_holds_parameters_epochs_pictures_and_card(first, client):
    (run,) = runs(client, "toys")
    assert run.info.run_id == first.json["mlflow_run_id"]
    assert run.info.status == "FINISHED"
    assert run.data.params["recipe.epochs"] == "12"
    assert run.data.tags["polyloom.snapshot"] == first.json["snapshot"]["id"]
    assert run.data.tags["polyloom.release"] == "toys/1"
    assert [point.step for point in client.get_metric_history(run.info.run_id, "train_loss")] == list(range(1, 13))
    assert run.data.metrics["colour.accuracy"] == first.json["metrics"]["colour"]["accuracy"]
    pictures = {Path(entry.path).name for entry in client.list_artifacts(run.info.run_id, "pictures")}
    assert {"colour_confusion.png", "tags_reliability.png", "learning_curve.png"} <= pictures
    assert "card.md" in {entry.path for entry in client.list_artifacts(run.info.run_id)}


def test_the_bundle_is_whole_and_registered(first, client):
    release = first.json["release"]
    assert verify(Path(first.json["bundle"]), expected=release["digest"]).digest == release["digest"]
    assert str(client.get_model_version_by_alias("toys", "champion").version) == release["version"]


def test_a_second_run_changes_nothing_and_trains_nothing(first, toys, polyloom, client):
    again = polyloom("run", toys, "--json")
    assert again.code == 0, again.err
    assert again.json["status"] == "unchanged"
    assert again.json["release"] == first.json["release"]
    assert len(runs(client, "toys")) == 1


def test_a_row_without_a_modality_is_answered_as_the_evaluation_said(first, toys, environment):
    """Each modality's figure, once more through the release itself, over the test rows that lack its column."""
    home = Path(environment["POLYLOOM_HOME"])
    snapshot = open_snapshot(home / "snapshots" / "toys" / first.json["snapshot"]["id"])
    table = snapshot.table("toys").select(["id", "_split"]).to_pylist()
    tested = {row["id"] for row in table if row["_split"] == "test"}
    given = [json.loads(line) for line in (toys.parent / "toys.jsonl").read_text().splitlines()]
    rows = [{**row, "picture": str(toys.parent / row["picture"])} for row in given if row["id"] in tested]
    runtime = Runtime.open(Path(first.json["bundle"]))
    for task, modality, column in (("colour", "image", "picture"), ("cheap", "price", "price")):
        figures = first.json["metrics"][task]["modalities"][modality]
        assert (figures["rows"], figures["metric"]) == (len(rows), "accuracy")
        for lacking, expected in ((None, figures["intact"]), (column, figures["removed"]["value"])):
            asked = [{key: value for key, value in row.items() if key != lacking} for row in rows]
            found = [prediction.answers[task].label for prediction in runtime.predict(asked)]
            right = [answer == row[task] for answer, row in zip(found, rows, strict=True)]
            assert sum(right) / len(rows) == pytest.approx(expected, abs=1e-6)


def test_the_release_says_of_a_row_without_a_modality_what_the_evaluation_asked_of_its_graph(first, toys):
    given = [json.loads(line) for line in (toys.parent / "toys.jsonl").read_text().splitlines()[:9]]
    rows = [{**row, "picture": str(toys.parent / row["picture"])} for row in given]
    runtime = Runtime.open(Path(first.json["bundle"]))
    for task, modality, column in (("colour", "image", "picture"), ("cheap", "price", "price")):
        head = runtime.heads[task]
        whole = {
            name: runtime.embed(name, [runtime.preparations[name].value(row) for row in rows]) for name in head.inputs
        }
        present = {name: np.ones(len(rows), bool) for name in head.inputs}
        asked = harmed_inputs("removed", modality, embeddings=whole, present=present, random=np.random.default_rng(0))
        expected = head(*asked)["logits"]
        lacking = [{key: value for key, value in row.items() if key != column} for row in rows]
        found = runtime.outputs(lacking, tasks=[task])[0][task]["logits"]
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert np.abs(found - head(whole, present)["logits"]).max() > 0.01


def test_what_each_modality_is_worth_is_in_card_and_mlflow_and_drawn(first, client):
    (run,) = runs(client, "toys")
    worth = first.json["metrics"]["cheap"]["modalities"]
    assert set(worth) == {"price", "material", "chars"}
    for modality, figures in worth.items():
        for harm in ("removed", "shuffled", "noised"):
            assert run.data.metrics[f"cheap.{modality}_{harm}"] == figures[harm]["value"]
    bundle = Path(first.json["bundle"])
    assert read_json(bundle / "metrics.json")["cheap"]["modalities"] == worth
    assert "## What each modality is worth" in (bundle / "card.md").read_text(encoding="utf-8")
    assert {"cheap_modalities.png", "tags_modalities.png"} <= {path.name for path in (bundle / "pictures").iterdir()}


def test_predict_answers_every_task(first, toys, polyloom):
    picture = toys.parent / "pictures" / "1.png"
    ended = polyloom("predict", "toys", "--text", "a green train", "--image", picture, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["release"] == first.json["release"]["digest"]
    (prediction,) = ended.json["predictions"]
    assert prediction["answers"]["colour"]["label"] == "green"
    assert sum(prediction["answers"]["colour"]["probabilities"].values()) == pytest.approx(1.0, abs=1e-5)
    assert set(prediction["missing"]) == {"price", "material"}


def test_a_task_that_can_read_nothing_of_a_row_gives_no_answer(first, toys, polyloom):
    ended = polyloom("predict", "toys", "--image", toys.parent / "pictures" / "1.png", "--json")
    assert ended.code == 0, ended.err
    (prediction,) = ended.json["predictions"]
    assert set(prediction["answers"]) == {"colour"}


def test_a_row_with_nothing_that_any_task_reads_is_refused(first, toys, polyloom):
    rows = toys.parent / "rows.jsonl"
    rows.write_text('{"other": 1}\n')
    ended = polyloom("predict", "toys", "--input", rows)
    assert ended.code == 2
    assert "Row 1 has nothing that a task reads: task 'colour' reads" in ended.said


def test_predict_reads_rows_with_pictures(first, toys, polyloom):
    rows = toys.parent / "rows.jsonl"
    lines = (toys.parent / "toys.jsonl").read_text().splitlines()[:3]
    rows.write_text("\n".join(lines) + "\n")
    ended = polyloom("predict", "toys@champion", "--input", rows, "--json")
    assert ended.code == 0, ended.err
    answers = [prediction["answers"] for prediction in ended.json["predictions"]]
    assert [answer["colour"]["label"] for answer in answers] == list(COLOURS)
    assert [answer["cheap"]["label"] for answer in answers] == ["yes", "no", "yes"]
    rows.write_text('{"title": "a"}\n{broken\n')
    broken = polyloom("predict", "toys", "--input", rows)
    assert broken.code == 2
    assert "line 2: not JSON" in broken.said


def test_search_finds_by_words_by_picture_and_by_item(first, toys, polyloom):
    words = polyloom("search", "toys", "--text", "a red robot number 36", "-k", "5", "--json").json["hits"]
    assert words[0]["id"] == "t36"
    picture = polyloom("search", "toys", "--image", toys.parent / "pictures" / "40.png", "-k", "3", "--json")
    assert picture.json["hits"][0]["id"] == "t40"
    like = polyloom("search", "toys", "--like", "t40", "-k", "3", "--json").json["hits"]
    assert "t40" not in [hit["id"] for hit in like]
    assert len(like) == 3
    cheap = polyloom("search", "toys", "--text", "a red robot", "--where", "price < 20", "--json").json["hits"]
    assert cheap
    assert all(hit["row"]["price"] < 20 for hit in cheap)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["search", "toys", "--like", "t99999"], "There is no item 't99999' in this index of 72"),
        (["search", "toys", "--text", "red", "--where", "prize < 3"], "Did you mean 'price'?"),
        (["search", "toys", "--text", "red", "-k", "0"], "k is 0; ask for at least 1 hit."),
        (["search", "toys"], "Nothing was asked: give a text of at least one character, a picture, or both."),
        (["search", "nothing", "--text", "red"], "nothing"),
        (["predict", "toys@nobody", "--text", "red"], "nobody"),
        (["predict", "toys", "--image", "no.png"], "--image no.png: cannot be read (No such file or directory)."),
        (["predict", "toys", "--text", " "], "Nothing was asked: give a text of at least one character"),
        (["promote", "toys", "77"], "77"),
    ],
)
def test_a_wrong_question_ends_with_2_and_says_why(first, polyloom, words, message):
    ended = polyloom(*words)
    assert ended.code == 2, ended.said
    assert message in ended.said
    assert "Traceback" not in ended.said


def test_a_challenger_that_is_not_better_is_refused_then_promoted_and_rolled_back(first, toys, polyloom, client):
    ended = polyloom("run", toys, "--set", "recipe.seed=8", "--set", "gate.rule=better", "--json")
    assert ended.code == 3, ended.err
    result = ended.json
    assert (result["status"], result["release"]["version"], result["release"]["alias"]) == ("refused", "2", "candidate")
    assert result["mlflow_run_id"] != first.json["mlflow_run_id"]
    assert result["gate"]["champion_value"] is not None
    assert str(client.get_model_version_by_alias("toys", "champion").version) == "1"
    assert [run.info.status for run in runs(client, "toys")] == ["FINISHED", "FINISHED"]
    own, other = result["mlflow_run_id"], first.json["mlflow_run_id"]
    report = {"gate/gate.html", "gate/gate.md", "gate/gate.png"}
    assert {entry.path for entry in client.list_artifacts(own, "gate")} == report
    assert len(client.list_artifacts(other, "gate/challenged_by_2")) == len(report)
    address = f"runs:/{own}/gate/gate.html"
    assert client.get_model_version("toys", "2").tags["polyloom.gate_report"] == address
    assert client.get_model_version("toys", "1").tags["polyloom.gate_report.challenged_by_2"] == address

    versions = polyloom("releases", "toys", "--json").json
    assert [entry["version"] for entry in versions] == ["2", "1"]
    assert polyloom("promote", "toys", "2", "--why", "looks good").code == 0
    assert polyloom("predict", "toys", "--text", "red", "--json").json["release"] == result["release"]["digest"]
    back = polyloom("rollback", "toys")
    assert back.code == 0, back.err
    assert "toys/1 is champion again, model and index" in back.said
    assert polyloom("predict", "toys", "--text", "red", "--json").json["release"] == first.json["release"]["digest"]
    changes = polyloom("history", "toys", "--json").json
    assert [change["why"] for change in changes if change["version"] == "2"] == ["looks good"]
    assert polyloom("run", toys, "--json").json["status"] == "unchanged"
    # What a person took back stays back, whatever the gate would find.
    again = polyloom("run", toys, "--set", "recipe.seed=8", "--set", "gate.rule=better", "--json")
    assert again.code == 3, again.err
    assert "no run promotes it again" in again.json["gate"]["reason"]
    assert str(client.get_model_version_by_alias("toys", "champion").version) == "1"


def test_pictures_in_folders_train_but_a_figure_below_the_minimum_is_refused(place, polyloom, client):
    path = write_picture_folders(place / "folders")
    ended = polyloom("run", path, "--set", "gate.minimum=1.1", "--json")
    assert ended.code == 3, ended.err
    assert ended.json["release"]["alias"] == "candidate"
    assert "1.1" in ended.json["gate"]["reason"]
    assert ended.json["snapshot"]["rows_kept"] == 45
    assert [run.info.status for run in runs(client, "shades")] == ["FINISHED"]
    nobody = polyloom("predict", "shades", "--image", place / "folders" / "shades" / "red" / "0.png")
    assert nobody.code == 2
    assert "champion" in nobody.said
    version = ended.json["release"]["version"]
    asked = polyloom("predict", f"shades@{version}", "--image", place / "folders/shades/red/0.png", "--json")
    assert set(asked.json["predictions"][0]["answers"]["shade"]["probabilities"]) == set(COLOURS)


def test_auto_explains_its_ladder_in_summary_card_and_mlflow(place, polyloom, client):
    path = write_picture_folders(place / "ladder", name="ladder")
    rungs = "recipe.auto.rungs=[frozen, {strategy: last_blocks, epochs: 1}]"
    ended = polyloom("run", path, "--set", "recipe.strategy=auto", "--set", rungs, "--json")
    assert ended.code == 0, ended.err
    auto = ended.json["strategy"]["auto"]
    assert [rung["strategy"] for rung in auto["rungs"]] == ["frozen", "last_blocks"]
    assert auto["rungs"][1]["low"] <= auto["rungs"][1]["difference"] <= auto["rungs"][1]["high"]
    card = (Path(ended.json["bundle"]) / "card.md").read_text()
    assert "| last_blocks |" in card
    assert auto["stopped"] in card
    (run,) = runs(client, "ladder")
    assert run.data.metrics["auto.last_blocks.metric"] == auto["rungs"][1]["metric"]
    assert auto["stopped"] in run.data.tags["polyloom.auto"]
    assert "auto.json" in {entry.path for entry in client.list_artifacts(run.info.run_id)}
    assert [point.step for point in client.get_metric_history(run.info.run_id, "train_loss")] == [1, 2, 3]


def test_a_changed_byte_is_refused_by_the_name_of_its_file(first, polyloom):
    path = Path(first.json["bundle"]) / "heads" / "colour" / "model.onnx"
    whole = path.read_bytes()
    mode = path.stat().st_mode
    path.chmod(0o644)
    try:
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        ended = polyloom("predict", "toys", "--text", "red")
    finally:
        path.write_bytes(whole)
        path.chmod(mode)
    assert ended.code == 1
    assert "heads/colour/model.onnx" in ended.said
    assert polyloom("predict", "toys", "--text", "red").code == 0


def test_an_index_of_another_encoder_is_refused_by_both_digests(first):
    from polyloom.errors import IntegrityError
    from retrieval.live import open_index

    folder = Path(first.json["bundle"]) / "index"
    own = {name: field["encoder_digest"] for name, field in read_json(folder / "index.json")["fields"].items()}
    other = file_digest(folder / "index.json")
    with pytest.raises(IntegrityError, match=f"in 'image', to the encoder {own['image']}, the query to {other}"):
        open_index(folder, encoders={**own, "image": other})
